"""Optional packages: which extra brings them, and Ctrl-C while they are imported."""

from __future__ import annotations

import signal
import sys

import pytest

from hashret import MissingExtraError
from hashret.extras import import_extra

# A package that is interrupted in the middle of its import.
SLOW = """
import signal
signal.raise_signal(signal.SIGINT)
DONE = True
"""


@pytest.fixture
def slow(tmp_path, monkeypatch):
    (tmp_path / "slow_package.py").write_text(SLOW)
    monkeypatch.syspath_prepend(tmp_path)
    yield "slow_package"
    sys.modules.pop("slow_package", None)


@pytest.fixture
def answers_to_ctrl_c():
    """Ctrl-C as a terminal has it; a background shell may have told us to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_missing_package_names_its_extra():
    with pytest.raises(
        MissingExtraError, match=r"no_such_package .*pip install 'hashret\[images\]'"
    ):
        import_extra("no_such_package", "images")


def test_ctrl_c_waits_for_the_end_of_an_import(slow, answers_to_ctrl_c):
    with pytest.raises(KeyboardInterrupt):
        import_extra(slow, "images")
    assert sys.modules[slow].DONE
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert import_extra(slow, "images").DONE


def test_the_callers_own_handler_is_left_alone(slow):
    came = []
    before = signal.signal(signal.SIGINT, lambda *given: came.append(given))
    try:
        assert import_extra(slow, "images").DONE
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(came) == 1
