"""``hashret reproduce``: what it refuses, and how."""

from __future__ import annotations

import pytest
from commands import assert_one_line, run_here

pytest.importorskip("typer")
pytest.importorskip("rich")


def test_a_missing_data_set_names_the_four_ways(tmp_path):
    done = run_here(
        "reproduce",
        "fashion-mnist",
        "--out",
        str(tmp_path / "x"),
        "--data",
        str(tmp_path),
        "--only",
        "LSH",
    )
    assert_one_line(
        done, "fashion-mnist: not found", "HASHRET_DATA", "dataset-fashion-mnist", "download"
    )
    assert all(f"({number})" in done.stderr for number in (1, 2, 3, 4))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("option", "value", "known"),
    [("--only", "SIFT", "LSH, DSH, kNN, classifier"), ("--protocol", "mnist", "fmnist-seed")],
)
def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path, option, value, known):
    done = run_here("reproduce", "fashion-mnist", option, value, "--out", str(tmp_path / "x"))
    assert_one_line(done, f"{option[2:]}: expected one of {known}", repr(value), code=2)
    assert not (tmp_path / "x").exists()
