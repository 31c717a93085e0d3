"""The page of recall against queries a second: it says what its rows say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("faiss")
pytest.importorskip("matplotlib")

from benchmarks import ann

DOCS = Path(__file__).parents[2] / "docs"
FACTS = dict.fromkeys(
    ("processor", "cores", "instruction set", "faiss-cpu", "usearch", "pynear"), "some"
)


def row(engine, recall, speed, data="codes, 256 bits"):
    return {
        "data": data,
        "bits": 256,
        "codes": 1000,
        "engine": engine,
        "setting": "a",
        "recall": recall,
        "queries a second": speed,
    }


ROWS = [
    {"machine": FACTS},
    row("tree", 1.0, 50.0),
    row("lists", 0.8, 4000.0),
    row("lists", 0.93, 2000.0),
    row("lists", 0.97, 2500.0),
    row("lists", 0.992, 900.0),
]


def test_the_fastest_setting_that_reaches_a_recall_is_told():
    text = ann.page(ROWS)
    assert "| tree | 50 | 50 | 50 | 50 |" in text
    # At .9 the setting of .97 is faster than that of .93.
    assert "| lists | 2,500 | 2,500 | 900 | - |" in text
    assert "1,000 codes" in text


def test_a_picture_of_some_codes(tmp_path):
    path = tmp_path / ann.picture_of("codes, 256 bits")
    ann.draw("codes, 256 bits", ROWS, path)
    assert path.name == "ann-codes-256-bits.png"
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(not (DOCS / "ann.jsonl").exists(), reason="the documentation is not here")
def test_the_page_is_that_of_its_rows():
    rows = [json.loads(line) for line in (DOCS / "ann.jsonl").read_text().splitlines()]
    assert (DOCS / "ann.md").read_text() == ann.page(rows)
    for name in {one["data"] for one in rows[1:]}:
        assert (DOCS / "images" / ann.picture_of(name)).exists()
