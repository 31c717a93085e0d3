"""Target of the planner: what its choice costs beside the better of its two ways."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
CUTOFF = 4.0
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


@dataclass(frozen=True)
class Cell:
    """What was asked for in what form, the regret, and which way was the better."""

    what: str
    value: int
    form: str
    regret: float
    better: str

    @property
    def name(self) -> str:
        return f"{self.what} = {self.value}"


def _regret(case: str, searched: Searched) -> Iterator[Row]:
    codes, queries, bits = searched
    indexes = {kind: peers.build(codes, bits, kind=kind) for kind in KINDS}
    check.answers({"hashret": peers.ours(indexes["auto"])}, queries, codes, 10)
    cells = list(_cells(indexes, queries, bits))
    again = functools.cache(lambda kind: peers.build(codes, bits, kind=kind))
    for form in (ALONE, TOGETHER):
        mine = [cell for cell in cells if cell.form == form]
        worst = max(mine, key=lambda cell: cell.regret)
        middle = statistics.median(cell.regret for cell in mine)
        yield Row(f"{case}, {form}: median of cells", middle, GOAL, at_most=True)
        parts = {cell.name: cell.regret for cell in mine} | {
            f"twin at {cell.name}": _twin(cell, indexes[cell.better], again(cell.better), queries)
            for cell in mine
            if cell.regret > GOAL
        }
        name = f"{case}, {form}: worst, {worst.name}"
        yield Row(name, worst.regret, GOAL, True, parts=parts)


def _cells(indexes: dict[str, hashret.Index], queries: Codes, bits: int) -> Iterator[Cell]:
    radii = sorted({int(bits * part) for part in RADII})
    for what, values in (("k", NEIGHBOURS), ("radius", radii)):
        engines = {
            OURS if kind == "auto" else kind: _asking(index, what)
            for kind, index in indexes.items()
        }
        for value in values:
            regret, tour = _alone(engines, queries, value)
            yield Cell(what, value, ALONE, regret, _better(tour))
            limit = CUTOFF * _best(tour)
            hopeful = {
                name: way
                for name, way in engines.items()
                if name == OURS or tour.ratio(name) <= limit
            }
            regret, tour = _together(hopeful, queries, value)
            yield Cell(what, value, TOGETHER, regret, _better(tour))


def _alone(engines: Engines, queries: Codes, value: int) -> tuple[float, Tour]:
    """The regret of single queries, and the first tour."""
    return _steady(
        lambda: Tour(engines, queries[: SINGLES + 1], value, cutoff=CUTOFF, seconds=SECONDS)
    )


def _together(engines: Engines, queries: Codes, value: int) -> tuple[float, Tour]:
    return _steady(lambda: Tour(engines, queries, value, size=BATCH, seconds=SECONDS))


def _twin(cell: Cell, index: hashret.Index, again: hashret.Index, queries: Codes) -> float:
    """What the measure itself varies by: the better way beside itself, in a second index."""
    engines = {OURS: _asking(index, cell.what), "twin": _asking(again, cell.what)}
    _, tour = (_alone if cell.form == ALONE else _together)(engines, queries, cell.value)
    return tour.ratio("twin")


def _steady(measure: Callable[[], Tour]) -> tuple[float, Tour]:
    """The regret; if it misses the goal, the median of three, lest noise decide the worst."""
    first = measure()
    regrets = [_regret_of(first)]
    if regrets[0] > GOAL:
        regrets += [_regret_of(measure()), _regret_of(measure())]
    return statistics.median(regrets), first


def _regret_of(tour: Tour) -> float:
    _same(tour)
    return 1 / _best(tour)


def _asking(index: hashret.Index, what: str) -> peers.RangeSearch:
    if what == "k":
        return peers.ours(index)
    return lambda queries, radius: index.range_search(queries, radius, threads=1)


def _better(tour: Tour) -> str:
    return min((name for name in tour.seconds if name != OURS), key=tour.median)


def _best(tour: Tour) -> float:
    """How many times as long as the planner the better of the others takes."""
    return tour.ratio(_better(tour))


def _same(tour: Tour) -> None:
    for name, answers in tour.answers.items():
        for mine, other in zip(tour.answers[OURS], answers, strict=False):
            same = all(np.array_equal(a, b) for a, b in zip(mine, other, strict=True))
            assert same, f"{name}: another answer than the planner's"
