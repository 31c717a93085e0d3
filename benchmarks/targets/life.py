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
from ..sizes import SIZES
from . import Row, ratio, target

MAP_SECONDS = 0.005
KINDS = ("scan", "auto")


@target(11, "Build, until the first answer")
def build(size: int) -> Iterator[Row]:
    codes, queries, bits = data.uniform(size, 64)
    for kind in KINDS:
        index = peers.ready(codes, queries, bits, kind=kind)
        assert np.array_equal(index.get(index.ids), codes)
        del index
        contest = Duel(
            {
                "hashret": partial(peers.ready, codes, queries, bits, kind=kind),
                "faiss flat": lambda: peers.faiss_flat(codes, bits),
            }
        ).play(5)
        case = f"{size:,} codes, {kind}"
        best = size / min(contest.seconds["hashret"]) / 1e6
        yield Row(case, size / contest.median() / 1e6, 5.0, unit=" M codes/s", best=best)
        yield ratio(case, contest, "faiss flat")
        if sys.platform == "linux":
            yield Row(f"{case}, peak memory / index", _peak(size, kind), 2.2, at_most=True)


@target(17, "Map a file", most=SIZES["huge"])
def map_file(size: int) -> Iterator[Row]:
    for count in (size // 10, size):
        codes, queries, bits = data.uniform(count, 64)
        index = peers.build(codes, bits)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "codes.hri"
            index.save(path)
            mapped = hashret.Index.load(path, mmap=True)
            assert np.array_equal(mapped.search(queries, 10)[1], index.search(queries, 10)[1])
            del mapped, index
            contest = Duel({"hashret": partial(hashret.Index.load, path, mmap=True)}).play(25)
            yield Row(
                f"{count:,} codes", contest.median() * 1e3, MAP_SECONDS * 1e3, True, unit=" ms"
            )


def _peak(size: int, kind: str) -> float:
    """Ratio of the most memory that building takes to what the index holds then."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peak_memory", str(size), kind],
        cwd=Path(__file__).parents[2],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    measured = json.loads(done.stdout)
    return float(measured["peak"]) / float(measured["index"])
