"""``hashret benchmark``: what it prints, and what it refuses."""

from __future__ import annotations

import re

import pytest
from commands import assert_one_line, run_here

pytest.importorskip("typer")
pytest.importorskip("rich")


def test_benchmark_takes_commas_and_prints_a_row_a_setting(tmp_path):
    pytest.importorskip("skimage")
    pytest.importorskip("sklearn")
    pytest.importorskip("torch")
    given = ["--protocol", "fmnist-sample", "--out", str(tmp_path / "r.jsonl")]
    done = run_here(
        "benchmark",
        "--suite",
        "fashion-mnist",
        "--methods",
        "lsh-gaussian, pca",
        "--bits",
        "8,12",
        *given,
    )
    assert done.returncode == 0, done.stderr
    rows = [re.split(r"\s*│\s*", line)[1:3] for line in done.stdout.splitlines() if "│" in line]
    assert rows == [["lsh-gaussian", "8"], ["lsh-gaussian", "12"], ["pca", "8"], ["pca", "12"]]
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 4
    assert str(tmp_path / "r.jsonl") in done.stdout
    again = run_here(
        "benchmark", "--suite", "fashion-mnist", "--methods", "lsh-gaussian", "--bits", "8", *given
    )
    assert "1 runs, 1 of them measured already" in again.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--suite", "mnist"], "suite: expected one of fashion-mnist, cifar10, two-axis, got"),
        (["--suite", "cifar10", "--bits", "many"], "bits: expected a whole number, got 'many'"),
        (["--suite", "cifar10", "--methods", "sift"], "methods: expected one of knn"),
    ],
)
def test_an_unfit_benchmark_is_one_line(tmp_path, given, words):
    pytest.importorskip("torch")
    assert_one_line(
        run_here("benchmark", *given, "--out", str(tmp_path / "r.jsonl")), words, code=2
    )


def test_the_first_look_at_two_axes_prints_a_row_a_rule(tmp_path):
    pytest.importorskip("skimage")
    pytest.importorskip("sklearn")
    pytest.importorskip("torch")
    given = ["--methods", "pca", "--protocol", "drawn-shapes", "--out", str(tmp_path / "r.jsonl")]
    done = run_here("benchmark", "--suite", "two-axis", "--quick", *given, COLUMNS="250")
    assert done.returncode == 0, done.stderr
    rows = [re.split(r"\s*│\s*", line)[1:5] for line in done.stdout.splitlines() if "│" in line]
    rules = ["hamming", "weighted", "class-aware", "float-query", "same-class"]
    assert rows == [["pca", "16", "drawn-shapes", rule] for rule in rules]
