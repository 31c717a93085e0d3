"""What each part of the planner earns: ``python -m benchmarks.ablation --help``.

Every policy of :data:`hashret._native.POLICIES` that chooses has an index of its own of kind
``"auto"``; its regret is what its queries take beside the better of an index of kind ``"scan"``
and one of kind ``"mih"``: the kind that is better in the median of all rounds of a cell, for which
of two is quicker in one round is partly chance. *Cold*: all of the first 32 queries of one class,
after what was remembered is forgotten. *Warm*: later ones, after hundreds of that class. Cells of a
few microseconds swing from run to run: ``--read`` takes the median of several for each cell. And
there is a second index of the better kind, ``again``, which has nothing to regret: what it misses
is what measuring misses.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import hashret

from . import check, data, machine, peers, real
from .data import Codes, Searched
from .sizes import SIZES, size
from .targets.planner import NEIGHBOURS, RADII

POLICIES = ("model", "two ways", "all")
PLAIN = ("scan", "mih")
# What tables tell of.
AGAIN = "again"
TOLD = (*POLICIES, AGAIN)
COLD, WARMING = 32, 320
# Queries on end of one contender, as somebody asks them; and how often, when all is warm.
RUN, ROUNDS = 16, 7
TRIALS = 5
# A plain way that takes so many times as long as the other is not asked again in a cell.
HOPELESS = 4.0
Ask = Callable[[hashret.Index, Codes], Any]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print a table, and keep the cells as JSON."""
    options = _parser().parse_args(arguments)
    if options.read:
        print(table(medians([json.loads(path.read_text())["cells"] for path in options.read])))
        return
    data.CACHE, real.CIFAR10 = options.cache, options.cifar10
    cells = list(_all_cells(options))
    print(table(cells))
    if options.json:
        found = {"machine": machine.facts(), "cells": cells}
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def _all_cells(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    def wanted(name: str) -> bool:
        return not options.only or any(part in name for part in options.only)

    queries = COLD * TRIALS + WARMING + ROUNDS * 2 * COLD
    for name, searched in _cases(options.size, queries, wanted):
        for cell in _cells(name, searched):
            print(_line(cell), flush=True)
            yield cell


def _cases(
    codes: int, queries: int, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, Searched]]:
    for kind, draw in data.SYNTHETIC.items():
        if wanted(name := f"{codes:,} {kind} codes"):
            yield name, draw(codes, 64, queries=queries)
    yield from real.sets(codes, queries, wanted)


def _cells(case: str, searched: Searched) -> Iterator[dict[str, Any]]:
    codes, queries, bits = searched
    indexes = {name: peers.ready(codes, queries, bits, kind=name) for name in PLAIN}
    indexes |= {_again(name): peers.ready(codes, queries, bits, kind=name) for name in PLAIN}
    indexes |= {name: peers.ready(codes, queries, bits) for name in POLICIES}
    check.answers({"auto": peers.ours(indexes["all"])}, queries, codes, 10)
    radii = sorted({int(bits * part) for part in RADII})
    for what, values in (("k", NEIGHBOURS), ("radius", radii)):
        for value in values:
            for form, each in (("one query", 1), ("batch", COLD)):
                yield {"case": case, "what": what, "value": value, "form": form} | _regrets(
                    indexes, queries, _asking(what, value), each
                )


def _asking(what: str, value: int) -> Ask:
    if what == "k":
        return lambda index, queries: index.search(queries, value, threads=1)
    return lambda index, queries: index.range_search(queries, value, threads=1)


def _regrets(
    indexes: dict[str, hashret.Index], queries: Codes, ask: Ask, each: int
) -> dict[str, dict[str, float]]:
    """The regret of every policy, cold and warm, for calls of `each` queries."""
    rows = _Rows(queries, each)
    cold: list[dict[str, float]] = []
    names = list(indexes)
    for trial in range(TRIALS):
        for name in POLICIES:
            indexes[name]._native.set_policy(name)
        asked = rows.take(COLD // each)
        seconds = {
            name: sum(_time(indexes[name], ask, one) for one in asked)
            for name in _turned(names, trial)
        }
        cold.append(seconds)
        names = _hopeful(names, seconds)
    return {"cold": _beside_best(cold), "warm": _warm(indexes, names, rows, ask)}


def _warm(
    indexes: dict[str, hashret.Index], names: list[str], rows: _Rows, ask: Ask
) -> dict[str, float]:
    some = max(RUN // rows.each, 2)
    for turn in range(WARMING // (some * rows.each)):
        _round(indexes, _turned(names, turn), rows.take(some), ask)
    return _beside_best(
        [_round(indexes, _turned(names, turn), rows.take(some), ask) for turn in range(ROUNDS)]
    )


def _round(
    indexes: dict[str, hashret.Index], names: list[str], asked: list[Codes], ask: Ask
) -> dict[str, float]:
    """The median time of a call of each, all of one after the other."""
    return {
        name: statistics.median(_time(indexes[name], ask, one) for one in asked) for name in names
    }


class _Rows:
    """Hands out queries in calls of some, from the start again when all were asked."""

    def __init__(self, queries: Codes, each: int) -> None:
        self.queries, self.each, self.next = queries, each, 0

    def take(self, calls: int) -> list[Codes]:
        """Return the queries of so many calls."""
        taken = []
        for _ in range(calls):
            if self.next + self.each > len(self.queries):
                self.next = 0
            taken.append(np.ascontiguousarray(self.queries[self.next : self.next + self.each]))
            self.next += self.each
        return taken


def _time(index: hashret.Index, ask: Ask, queries: Codes) -> float:
    start = time.process_time()
    ask(index, queries)
    return time.process_time() - start


def _turned(names: list[str], turn: int) -> list[str]:
    first = turn % len(names)
    return names[first:] + names[:first]


def _hopeful(names: list[str], seconds: dict[str, float]) -> list[str]:
    limit = HOPELESS * min(seconds[name] for name in PLAIN if name in seconds)
    dropped = {name for name in PLAIN if name in seconds and seconds[name] > limit}
    dropped |= {_again(name) for name in dropped}
    return [name for name in names if name not in dropped]


def _again(name: str) -> str:
    return f"{name} {AGAIN}"


def _beside_best(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return the median over rounds of what each takes beside the better plain kind."""
    kept = [name for name in PLAIN if all(name in one for one in rounds)]
    best = min(kept, key=lambda name: statistics.median(one[name] for one in rounds))
    names = dict(zip(TOLD, (*POLICIES, _again(best)), strict=True))
    return {
        told: statistics.median(one[name] / one[best] for one in rounds)
        for told, name in names.items()
    }


def medians(runs: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the cells of several runs of the same, with the median of each figure."""
    return [
        one[0] | {state: _middle([cell[state] for cell in one]) for state in ("cold", "warm")}
        for one in zip(*runs, strict=True)
    ]


def _middle(cells: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(cell[name] for cell in cells) for name in TOLD}


def _line(cell: dict[str, Any]) -> str:
    figures = "  ".join(
        f"{state} " + " ".join(f"{cell[state][name]:.2f}" for name in TOLD)
        for state in ("cold", "warm")
    )
    return f"{cell['case'][:34]:34} {cell['form']:9} {cell['what']:6} {cell['value']:5}  {figures}"


def table(cells: list[dict[str, Any]]) -> str:
    """Return the summary as Markdown: median, worst, and cells that miss, of each policy."""
    lines = ["| | " + " | ".join(TOLD) + " |", "|---|" + "---|" * len(TOLD)]
    for state, goal in (("cold", 1.25), ("warm", 1.1)):
        for form in ("one query", "batch"):
            of = {
                name: [cell[state][name] for cell in cells if cell["form"] == form] for name in TOLD
            }
            figures = (
                f"{statistics.median(of[name]):.2f}, {max(of[name]):.2f}, "
                f"{sum(value > goal for value in of[name])}"
                for name in TOLD
            )
            lines.append(
                f"| {state}, {form}, {len(of['all'])} cells: median, worst, above {goal} | "
                + " | ".join(figures)
                + " |"
            )
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=__doc__)
    parser.add_argument("--size", type=size, default=SIZES["medium"], help="codes; %(default)s")
    parser.add_argument("--only", nargs="*", help="cases whose name contains one of these")
    parser.add_argument("--json", type=Path, help="where to keep the cells")
    parser.add_argument("--read", type=Path, nargs="+", help="tell the medians of kept cells")
    parser.add_argument("--cache", type=Path, default=data.CACHE)
    parser.add_argument("--cifar10", type=Path, help="archive or folder of CIFAR-10's JPEG files")
    return parser


if __name__ == "__main__":
    main()
