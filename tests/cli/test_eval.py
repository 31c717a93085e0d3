"""``hashret eval``: what it refuses."""

from __future__ import annotations

import pytest
from commands import assert_one_line, run_here

pytest.importorskip("typer")
pytest.importorskip("rich")


def test_eval_of_a_missing_file_is_one_line(tmp_path):
    done = run_here("eval", "--codes", str(tmp_path / "no.npz"), "--out", str(tmp_path / "x"))
    assert_one_line(done, "no.npz")
    assert not (tmp_path / "x").exists()


def test_eval_by_labels_takes_no_options_of_files(tmp_path):
    done = run_here("eval", "--label", "label", "--out", str(tmp_path / "x"))
    assert_one_line(done, "label: expected with --encoder, --store and --json only", code=2)
