"""``hashret info``: what it says, and what it does not load."""

from __future__ import annotations

import re

import pytest
from commands import hide, run

import hashret

pytest.importorskip("typer")
pytest.importorskip("rich")


@pytest.mark.parametrize("isa", hashret.cpu()["supported"])
def test_info_tells_the_forced_instruction_set(isa):
    done = run("info", HASHRET_ISA=isa)
    facts = dict(re.split(r"  +", line, maxsplit=1) for line in done.stdout.splitlines())
    assert done.returncode == 0
    assert facts["hashret"] == hashret.__version__
    assert facts["engine isa"] == isa
    assert facts["engine supported"].split(", ") == hashret.cpu()["supported"]
    assert facts["numpy"] == __import__("numpy").__version__


def test_info_loads_nothing_optional_and_says_what_is_missing():
    loaded = run(
        "info",
        code=hide("torch") + "\nimport atexit\natexit.register("
        "lambda: print('loaded', sorted({'torch', 'skimage', 'sklearn'} & set(sys.modules))))",
    )
    assert "loaded []" in loaded.stdout
