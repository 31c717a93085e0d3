"""Targets of what goes on at the same time: merging beside searches, and searches in threads."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import hashret

from .. import check, data, peers
from ..data import Codes
from ..duel import OURS, Duel
from ..peak_memory import forget_peak, resident
from . import Row, target

# Codes that are added at a time, and how often, at most: as many again as there were.
ADDED, K = 100_000, 10
LONGEST_MS = 50.0
# What a merge may take beside what the index holds.
MEMORY = 1.3
# Seconds of one turn of each thread, that to start one counts for little; how much more two threads
# are to do.
TURN, ROUNDS, THREADS, SPEEDUP = 0.2, 15, 2, 1.8


@target(25, "Adds with a search after each, while all is sorted and merged beside")
def no_search_waits(size: int) -> Iterator[Row]:
    codes, queries, bits = data.uniform(size, 64)
    index = hashret.Index(bits)
    index.add(codes)
    added, searched = [], []
    for turn in range(max(size // ADDED, 1)):
        query, more = queries[turn % len(queries)][None], _more(turn)
        added.append(_seconds(partial(index.add, more)))
        searched.append(_seconds(partial(index.search, query, K, threads=1)))
        if turn % 20 == 0:
            found = index.search(query, K, threads=1)
            held = index.get(index.ids)
            check.agree({"faiss flat": peers.faiss_flat(held, bits).search(query, K), OURS: found})
    case = f"{size:,} codes, {ADDED:,} added {len(added):,} times, one query"
    yield Row(f"{case}, the longest", max(searched) * 1e3, LONGEST_MS, True, "ms")
    yield Row(f"{case}, the median", float(np.median(searched)) * 1e3, unit="ms")
    yield Row(f"{case}, an add, the longest", max(added) * 1e3, unit="ms")
    del codes, queries
    if sys.platform == "linux":
        yield Row(f"{case}, memory of a merge / index", _memory(index), MEMORY, True)


@target(26, "Single queries from two Python threads: how many more than from one")
def threads(size: int) -> Iterator[Row]:
    for kind, draw in data.SYNTHETIC.items():
        codes, queries, bits = draw(size, 64)
        index = peers.ready(codes, queries, bits)
        asked = math.ceil(100 * TURN / _seconds(partial(_ask, index, queries, 100)))
        one = partial(_ask, index, queries, asked)
        calls = {OURS: partial(_in_threads, one, THREADS), "one thread": one}
        duel = Duel(calls, rival_seconds=60).play(ROUNDS)
        more = THREADS * duel.ratio("one thread")
        best = THREADS * duel.ratio("one thread", best=True)
        yield Row(f"{size:,} {kind} codes", more, SPEEDUP, best=best)


def _memory(index: hashret.Index) -> float:
    """Ratio of what a merge takes beside the index, at most, to what that holds then."""
    index.compact()
    for turn in range(len(index) // ADDED // 7):
        index.add(_more(turn))
    before = forget_peak()
    index.compact()
    return (resident("VmHWM") - before) / float(index.stats()["bytes"])


def _more(turn: int) -> Codes:
    return np.random.default_rng(turn).integers(0, 256, (ADDED, 8), np.uint8)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _ask(index: hashret.Index, queries: Codes, count: int) -> None:
    for turn in range(count):
        query = turn % len(queries)
        index.search(queries[query : query + 1], K, threads=1)


def _in_threads(task: Callable[[], None], count: int) -> None:
    workers = [threading.Thread(target=task) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
