"""``hashret demo``: what it refuses, and how."""

from __future__ import annotations

import pytest
from commands import assert_one_line, run_here

pytest.importorskip("typer")
pytest.importorskip("rich")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    assert_one_line(run_here("demo", "--out", str(tmp_path / "file" / "x")), "file")
    assert_one_line(run_here("demo", "--out", str(tmp_path / "file")), "file")


@pytest.mark.parametrize("count", ["0", "101", "-1"])
def test_a_count_of_queries_out_of_range_is_one_line(tmp_path, count):
    done = run_here("demo", "--out", str(tmp_path), "--queries", count)
    assert_one_line(done, f"queries: expected 1 to 100, got {count}", code=2)
