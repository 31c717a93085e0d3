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


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    try:
        module = importlib.import_module(name)
    except MissingExtraError as error:
        pytest.skip(str(error))
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0, "see the captured output"
