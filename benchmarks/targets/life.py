"""Targets of building, saving and mapping."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

import hashret

from .. import data, peers
from ..duel import Duel
from . import Row, ratio, target

MAP_SECONDS = 0.005


@target(11, "Build")
def build(size: int) -> Iterator[Row]:
    codes, _, bits = data.uniform(size, 64)
    index = peers.build(codes, bits)
    assert np.array_equal(index.get(index.ids), codes)
    del index
    contest = Duel(
        {
            "hashret": lambda: peers.build(codes, bits),
            "faiss flat": lambda: peers.faiss_flat(codes, bits),
        }
    ).play(5)
    yield Row(f"{size:,} codes", size / contest.median() / 1e6, 5.0, unit=" M codes/s")
    yield ratio(f"{size:,} codes", contest, "faiss flat")
    if sys.platform == "linux":
        yield Row(f"{size:,} codes, peak memory / index", _peak(size), 2.2, at_most=True)


@target(17, "Map a file")
def map_file(size: int) -> Iterator[Row]:
    for count in (size // 10, size):
        codes, queries, bits = data.uniform(count, 64)
        index = peers.build(codes, bits)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "codes.hri"
            index.save(path)
            mapped = hashret.Index.load(path, mmap=True)
            assert np.array_equal(mapped.search(queries, 10)[1], index.search(queries, 10)[1])
            del mapped
            contest = Duel({"hashret": partial(hashret.Index.load, path, mmap=True)}).play(25)
            yield Row(
                f"{count:,} codes", contest.median() * 1e3, MAP_SECONDS * 1e3, True, unit=" ms"
            )


def _peak(size: int) -> float:
    """Ratio of the most memory that adding takes to what the index holds then."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peak_memory", str(size)],
        cwd=Path(__file__).parents[2],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    measured = json.loads(done.stdout)
    return float(measured["peak"]) / float(measured["index"])
