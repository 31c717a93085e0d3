"""Target of kind "approximate": long codes, at a recall that is reached by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import numpy as np

import hashret

from .. import approximate, check, data, peers
from ..approximate import K, Rival
from ..data import Codes, Searched
from ..duel import OURS, Duel
from ..peers import Search
from ..sizes import SIZES
from . import Row, target

RECALLS = (0.9, 0.95, 0.99)
# Recalls of single queries differ by .2: the mean of 1,000 may well be off by .01. There are as
# many test images.
QUERIES = 10_000
BATCH, SINGLES, ROUNDS = 1000, 100, 9
# Graphs of more codes take an hour.
MOST = 200_000
# Codes that share a centre.
CENTRE = 25
GOAL, BUILD_GOAL, BYTES_GOAL, OFF = 1.5, 5.0, 2.0, 0.01


@target(22, "Approximate, long codes: the best rival at our recall / ours", most=SIZES["medium"])
def long_codes(size: int) -> Iterator[Row]:
    for name, searched in _sets(size):
        rivals = approximate.rivals(searched)
        scan = peers.ours(peers.build(searched.codes, searched.bits, kind="scan"))
        exact = scan(searched.queries, K)[0]
        case = f"{name}, {len(searched.codes):,} codes of {searched.bits} bits"
        for recall in RECALLS:
            yield from _at(f"{case}, recall {recall}", searched, recall, exact, rivals)


def _sets(size: int) -> Iterator[tuple[str, Searched]]:
    """Codes around many centres, and of real images (their HOG features by random projections)."""
    for bits in (256, 512, 1024):
        yield "clustered", data.clustered(min(size, MOST), bits, QUERIES, members=CENTRE)
    for tables in (16, 32):
        real = data.fashion_mnist_codes(16, tables, size >= SIZES["small"], QUERIES)
        yield real.source, Searched(real.codes, real.queries, real.bits)


def _at(
    case: str, searched: Searched, recall: float, exact: Codes, rivals: list[Rival]
) -> Iterator[Row]:
    codes, queries, bits = searched
    began = time.perf_counter()
    index = peers.ready(codes, queries, bits, kind="approximate", recall=recall)
    taken = time.perf_counter() - began
    graph = min(rival.seconds for rival in rivals if "HNSW" in rival.name)
    yield Row(f"{case}: building, the faster HNSW / ours", graph / taken, BUILD_GOAL)
    size = float(index.stats()["bytes_per_code"])
    yield Row(f"{case}: bytes, of those of the codes", size / (bits / 8), BYTES_GOAL, at_most=True)
    answered = _one_by_one(index, queries)
    found = check.recall(answered, exact)
    told = index.tuning(K).measured
    yield Row(f"{case}: told {told:.3f}, found {found:.3f}", abs(told - found), OFF, True, "")
    queries, exact = queries[:BATCH], exact[:BATCH]
    found = check.recall(answered[:BATCH], exact)
    ways: dict[str, Search] = {OURS: peers.ours(index)}
    recalls = {}
    for rival in rivals:
        ways[rival.name], recalls[rival.name] = approximate.reaching(rival, queries, exact, found)
    ways["auto"] = peers.ours(peers.build(codes, bits))
    recalls["auto"] = 1.0
    for form, asking in (("one query", _alone), (f"batch of {BATCH}", _together)):
        duel = Duel({name: partial(asking, way, queries) for name, way in ways.items()})
        duel.play(ROUNDS)
        for name in recalls:
            goal = 1.0 if name == "auto" else GOAL
            text = f"{case}, {form}, {name} ({recalls[name]:.3f} beside {found:.3f})"
            yield Row(text, duel.ratio(name), goal, best=duel.ratio(name, best=True))


def _one_by_one(index: hashret.Index, queries: Codes) -> Codes:
    """Distances, without what a batch does better."""
    return np.concatenate([index.search(query[None], K, threads=1)[0] for query in queries])


def _alone(search: Search, queries: Codes) -> None:
    for query in queries[:SINGLES]:
        search(query[None], K)


def _together(search: Search, queries: Codes) -> None:
    search(queries, K)
