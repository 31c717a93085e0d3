"""The page of results: made from the file of rows alone, every picture there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from hashret.experiments.benchmark.harness import run_benchmark

MAKER = Path(__file__).parent.parent / "docs" / "make_results.py"
pytestmark = pytest.mark.skipif(not MAKER.exists(), reason="docs/ is not beside the tests")


@pytest.fixture
def maker(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("make_results", MAKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "docs" / "images").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return module


def test_page_from_rows(maker, tmp_path):
    out = tmp_path / "results.jsonl"
    methods = ["knn", "lsh-gaussian", "itq"]
    report = run_benchmark(
        "fashion-mnist",
        out,
        methods=methods,
        bits=[8, 16],
        seeds=3,
        protocols=["fmnist-sample"],
        cache=tmp_path / "cache",
    )
    maker.main(out)
    page = (tmp_path / "docs" / "results.md").read_text(encoding="utf-8")
    assert "## `fmnist-sample`" in page
    assert "3,000 training images" in page
    assert "features `hog`" in page
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")][1:]
    assert {(row[0][2:], row[1], row[2]) for row in rows} == {
        ("Exact k-NN, Euclidean", "-", "1"),
        *((name, bits, "3") for name in ("LSH, Gaussian", "ITQ") for bits in ("8", "16")),
    }
    scores = [r["map_all"] for r in report.rows if (r["method"], r["bits"]) == ("itq", 16)]
    (cells,) = [row for row in rows if row[0] == "| ITQ" and row[1] == "16"]
    mean, half = re.fullmatch(r"([\d.]+) ± ([\d.]+)", cells[6]).groups()
    assert float(mean) == round(sum(scores) / 3, 3)
    assert 0 < float(half) < 0.1
    pictures = re.findall(r"!\[.+\]\((images/.+\.png)\)", page)
    assert len(pictures) == 6
    assert all((tmp_path / "docs" / name).stat().st_size for name in pictures)


def test_every_anchor_is_of_a_protocol(maker):
    from hashret.evaluation import PROTOCOLS

    assert {name for name, _, _ in maker.ANCHORS} <= set(PROTOCOLS)
    assert all(0 < score < 1 for _, _, scores in maker.ANCHORS for score in scores.values())
