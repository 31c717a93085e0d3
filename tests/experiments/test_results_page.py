"""The pages of results: made from rows alone, every picture there."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from hashret.experiments.benchmark.harness import run_benchmark
from hashret.experiments.benchmark.rows import KEYS, is_whole, read_rows
from hashret.experiments.study.results import CELLS

DOCS = Path(__file__).parents[2] / "docs"
pytestmark = pytest.mark.skipif(
    not (DOCS / "make_results.py").exists(), reason="docs/ is not beside the tests"
)


def load(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "docs" / "images").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def maker():
    return load("make_results")


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


def number(cell):
    return None if cell == "-" else float(cell.replace(",", ""))


def whole(cell):
    return None if cell == "-" else int(cell.replace(",", ""))


def study_row(protocol, cells):
    """Return the row of ``results.json`` that a line of the page was made of."""
    name, bits, _, hits, mink, whole_map, bounds, codes, seconds, microseconds = cells
    names = {"exact k-NN of HOG": "kNN", "plain classifier": "classifier"}
    tables, alpha = re.search(r"(\d+) tables", name), re.search(r"alpha ([\d.]+)", name)
    low, high = bounds.split(" to ")
    return {
        "method": names.get(name, name.split(",")[0]),
        "protocol": protocol,
        "bits": whole(bits),
        "tables": int(tables[1]) if tables else None,
        "alpha": float(alpha[1]) if alpha else None,
        "seed": 0,
        "map10_hits": number(hits),
        "map10_mink": number(mink),
        "map_all": number(whole_map),
        "map_all_low": float(low),
        "map_all_high": float(high),
        "distinct_codes": whole(codes),
        "train_seconds": number(seconds),
        "query_microseconds": number(microseconds),
    }


def test_the_studys_page_is_what_its_rows_give(tmp_path):
    page = (DOCS / "fashion-mnist.md").read_text(encoding="utf-8")
    protocol, rows = "", []
    for line in page.splitlines():
        protocol = line.split("`")[1] if line.startswith("## ") else protocol
        if line.startswith("| ") and not line.startswith("| method"):
            rows.append(study_row(protocol, [cell.strip() for cell in line.split("|")[1:-1]]))
    assert len(rows) == 2 * len(CELLS)
    assert all(tuple(row) == KEYS for row in rows)
    (tmp_path / "results.json").write_text(json.dumps(rows))
    load("make_study").main(tmp_path)
    made = (tmp_path / "docs" / "fashion-mnist.md").read_text(encoding="utf-8")
    # The head tells what this machine runs.
    assert made[made.index("## ") :] == page[page.index("## ") :]


def test_the_committed_rows_can_be_read():
    rows = read_rows(DOCS / "results.jsonl")
    assert len(rows) >= 280
    assert all(map(is_whole, rows))
