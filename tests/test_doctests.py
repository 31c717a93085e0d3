"""Every example in a docstring is right."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import hashret
from hashret.errors import MissingExtraError

MODULES = ["hashret"] + [
    module.name
    for module in pkgutil.walk_packages(hashret.__path__, "hashret.", onerror=lambda name: None)
    if not module.name.endswith("__main__")
]


class Runner(doctest.DocTestRunner):
    """Lets the error of a missing extra through, to skip the examples that need it."""

    def report_unexpected_exception(self, out, test, example, exc_info):
        if isinstance(exc_info[1], MissingExtraError):
            raise exc_info[1]
        super().report_unexpected_exception(out, test, example, exc_info)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    try:
        module = importlib.import_module(name)
        runner = Runner(optionflags=doctest.NORMALIZE_WHITESPACE)
        for example in doctest.DocTestFinder().find(module):
            runner.run(example)
    except MissingExtraError as error:
        pytest.skip(str(error))
    assert runner.summarize().failed == 0, "see the captured output"
