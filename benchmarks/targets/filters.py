"""Target of filters: what a search among some of the codes costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import hashret
from hashret.types import Ids

from .. import check, data, peers
from ..data import Codes
from ..duel import OURS, Duel
from ..peers import Answer
from . import Row, target

# How many ids are allowed: so many, and such shares of the codes.
COUNTS, SHARES = (10, 100, 1000), (0.001, 0.01, 0.1, 0.5)
BATCH, SINGLES, ROUNDS, K = 400, 25, 15, 10
GOAL = 1.2
# A search that is given 100 ids.
US_OF_100 = 50.0
# Preparing a filter: nanoseconds an id, and a code of the index.
ID_NS, ROW_NS = 5.0, 0.1
PREPARED = 5
# Calls that are not timed, of which a filter of few ids has its copy.
WARM = 20


@target(21, "Filter: its search / the cheaper of none and a scan of what it allows")
def filters(size: int) -> Iterator[Row]:
    for bits in (64, 256):
        for kind, draw in data.SYNTHETIC.items():
            codes, queries, _ = draw(size, bits, queries=BATCH)
            yield from _shares(f"{size:,} {kind} codes of {bits} bits", codes, queries)


def _shares(case: str, codes: Codes, queries: Codes) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    index = peers.build(codes, 8 * codes.shape[1])
    index.search(queries[:1], 1, filter=[0])  # lists the codes by row, once
    for count in sorted({*COUNTS, *(int(share * len(codes)) for share in SHARES)}):
        ids = np.sort(rng.choice(len(codes), count, replace=False))
        yield from _one(f"{case}, {count:,} allowed", index, codes, ids, queries)
    few = rng.choice(len(codes), 100, replace=False)
    given = partial(index.search, k=K, filter=few, threads=1)
    duel = Duel({OURS: _one_by_one(given, queries)}).play(ROUNDS)
    taken = duel.median() / SINGLES * 1e6
    yield Row(f"{case}, 100 ids given to a search", taken, US_OF_100, True, "us")


def _one(case: str, index: hashret.Index, codes: Codes, ids: Ids, queries: Codes) -> Iterator[Row]:
    taken = statistics.median(_seconds(partial(index.filter, ids)) for _ in range(PREPARED))
    chosen = index.filter(ids)
    for _ in range(WARM):
        index.search(queries, K, filter=chosen)
    limit = (ID_NS * len(ids) + ROW_NS * len(codes)) * 1e-9
    yield Row(f"{case}: preparing, of what it may take", taken / limit, 1.0, at_most=True)
    alone = hashret.Index(index.bits, "scan")
    alone.add(codes[ids], ids)
    ways = {
        OURS: partial(index.search, k=K, filter=chosen, threads=1),
        "no filter": partial(index.search, k=K, threads=1),
        "alone": partial(alone.search, k=K, threads=1),
    }
    check.agree({name: ways[name](queries[:20]) for name in ("alone", OURS)})
    for form, asking in (("one query", _one_by_one), (f"batch of {BATCH}", partial)):
        calls = {name: asking(way, queries) for name, way in ways.items()}
        duel = Duel(calls).play(ROUNDS)
        rival = min(duel.ratios(), key=duel.median)
        measured, best = 1 / duel.ratio(rival), 1 / duel.ratio(rival, best=True)
        yield Row(f"{case}, {form}, {rival}", measured, GOAL, at_most=True, best=best)


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _one_by_one(search: Callable[[Codes], Answer], queries: Codes) -> Callable[[], None]:
    def ask() -> None:
        for query in queries[:SINGLES]:
            search(query[None])

    return ask
