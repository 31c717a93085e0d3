"""Target of the planner: what its choice costs beside the better of its two ways."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

import numpy as np

import hashret

from .. import check, data, peers, real
from ..data import Codes, Searched
from ..duel import OURS
from ..tour import Tour
from . import Row, target

NEIGHBOURS = (1, 10, 100, 1000)
# Radii in parts of the code's length.
RADII = (0, 1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4)
KINDS = ("auto", "scan", "mih")
BATCH, BATCHES, SINGLES = 100, 15, 60
# A way that takes so many times as long as the other is not timed any longer.
PATIENCE = 4.0
SECONDS = 5.0
GOAL = 1.1
ALONE, TOGETHER = "one query", f"batch of {BATCH}"
Engines = dict[str, peers.RangeSearch]


@target(9, "Planner: its time / the better of scan and multi-index")
def regret(size: int) -> Iterator[Row]:
    queries = BATCH * BATCHES + 1
    for kind, draw in data.SYNTHETIC.items():
        yield from _regret(f"{size:,} {kind} codes", draw(size, 64, queries=queries))
    for name, searched in real.sets(size, queries):
        yield from _regret(f"{len(searched.codes):,} codes of {name}", searched)


def _regret(case: str, searched: Searched) -> Iterator[Row]:
    codes, queries, bits = searched
    indexes = {kind: peers.build(codes, bits, kind=kind) for kind in KINDS}
    check.answers({"hashret": peers.ours(indexes["auto"])}, queries, codes, 10)
    cells = _cells(indexes, queries, bits)
    for form in (ALONE, TOGETHER):
        parts = {cell: figure for (cell, way), figure in cells.items() if way == form}
        worst = max(parts, key=parts.__getitem__)
        middle = statistics.median(parts.values())
        yield Row(f"{case}, {form}: median of cells", middle, GOAL, at_most=True)
        yield Row(f"{case}, {form}: worst, {worst}", parts[worst], GOAL, True, parts=parts)


def _cells(
    indexes: dict[str, hashret.Index], queries: Codes, bits: int
) -> dict[tuple[str, str], float]:
    """The regret by what is asked for and in what form."""
    found = {}
    radii = sorted({int(bits * part) for part in RADII})
    for what, values in (("k", NEIGHBOURS), ("radius", radii)):
        engines = {
            OURS if kind == "auto" else kind: _asking(index, what)
            for kind, index in indexes.items()
        }
        for value in values:
            cell = f"{what} = {value}"
            found[cell, ALONE], hopeful = _alone(engines, queries, value)
            found[cell, TOGETHER] = _together(hopeful, queries, value)
    return found


def _alone(engines: Engines, queries: Codes, value: int) -> tuple[float, Engines]:
    """The regret of single queries, and the ways that are not hopeless in batches."""
    tours = []

    def measure() -> float:
        asked = queries[: SINGLES + 1]
        tours.append(Tour(engines, asked, value, patience=PATIENCE, seconds=SECONDS))
        return _regret_of(tours[-1])

    figure, tour = _steady(measure), tours[0]
    limit = PATIENCE * _best(tour)
    hopeful = {
        name: way for name, way in engines.items() if name == OURS or tour.ratio(name) <= limit
    }
    return figure, hopeful


def _together(engines: Engines, queries: Codes, value: int) -> float:
    return _steady(lambda: _regret_of(Tour(engines, queries, value, size=BATCH, seconds=SECONDS)))


def _steady(measure: Callable[[], float]) -> float:
    """What is measured; if it misses the goal, the median of three, lest noise decide the worst."""
    first = measure()
    return first if first <= GOAL else statistics.median([first, measure(), measure()])


def _regret_of(tour: Tour) -> float:
    _same(tour)
    return 1 / _best(tour)


def _asking(index: hashret.Index, what: str) -> peers.RangeSearch:
    if what == "k":
        return peers.ours(index)
    return lambda queries, radius: index.range_search(queries, radius, threads=1)


def _best(tour: Tour) -> float:
    """How many times as long as the planner the better of the others takes."""
    return tour.ratio(min((name for name in tour.seconds if name != OURS), key=tour.median))


def _same(tour: Tour) -> None:
    for name, answers in tour.answers.items():
        for mine, other in zip(tour.answers[OURS], answers, strict=False):
            same = all(np.array_equal(a, b) for a, b in zip(mine, other, strict=True))
            assert same, f"{name}: another answer than the planner's"
