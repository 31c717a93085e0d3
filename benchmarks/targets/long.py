"""Targets of long codes: early stopping in scans, near copies by tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import hashret
from hashret import _native

from .. import check, data, peers
from ..data import Codes
from ..duel import OURS, Duel
from . import Row, ratio, target

K = 10
SINGLES, ROUNDS = 25, 15


# Codes of a cluster in target 20, and how many the default size has.
CLUSTER, SHARE = 25, 20


@target(20, "Early stopping in scans of 512 bits")
def early_stopping(size: int) -> Iterator[Row]:
    count, bits = size // SHARE, 512
    codes, queries, _ = data.clustered(count, bits, members=CLUSTER)
    case = f"{count:,} codes, {CLUSTER} a cluster"
    engines = {
        OURS: peers.ours(peers.ready(codes, queries, bits)),
        "faiss flat": peers.faiss_flat(codes, bits).search,
    }
    check.answers(engines, queries[:20], codes, K)
    for form, calls in _forms(engines, queries).items():
        yield ratio(
            f"{case}, {form}", Duel(calls, rival_seconds=20).play(ROUNDS), "faiss flat", 3.0
        )
    codes, queries, _ = data.uniform(count, bits)
    whole = {OURS: peers.ours(peers.build(codes, bits, kind="scan"))}
    check.answers(whole, queries[:20], codes, K)
    for form, calls in _forms(whole, queries).items():
        contest = Duel({**calls, "whole codes": partial(_whole, calls[OURS])}).play(ROUNDS)
        measured, best = (1 / contest.ratio("whole codes", best=it) for it in (False, True))
        case = f"{count:,} uniform codes, {form}, against whole codes"
        yield Row(case, measured, 1.03, at_most=True, best=best)


def _forms(
    engines: dict[str, peers.Search], queries: Codes
) -> dict[str, dict[str, Callable[..., object]]]:
    """Each engine asked one by one, and all at once."""
    return {
        "one query": {
            name: partial(_one_by_one, search, queries) for name, search in engines.items()
        },
        f"batch of {len(queries)}": {
            name: partial(search, queries, K) for name, search in engines.items()
        },
    }


def _one_by_one(search: peers.Search, queries: Codes) -> None:
    for query in queries[:SINGLES]:
        search(query[None], K)


def _whole(call: Callable[..., object]) -> None:
    _native.early_stopping(False)
    try:
        call()
    finally:
        _native.early_stopping(True)


# Target 23: as PDQ's hashes are compared; copies of an original where there are some.
BITS, RADIUS, COPIES, ASKED = 256, 31, 20, 400
LOOKUPS, BYTES = 4000.0, 120.0


@target(23, "256 bits within 31, on two cores")
def near_copies(size: int) -> Iterator[Row]:
    codes, _, _ = data.uniform(size, BITS, queries=0)
    index = hashret.Index(BITS, radius=RADIUS)
    index.add(codes)
    index.compact()
    rng = np.random.default_rng(1)
    rows = rng.integers(len(codes), size=ASKED)
    queries = _flipped(rng, codes[rows], RADIUS)
    lims, distances, ids = index.range_search(queries, RADIUS)
    assert (distances <= RADIUS).all()
    assert all(row in ids[lims[i] : lims[i + 1]] for i, row in enumerate(rows))
    del codes
    case = f"{size:,} uniform codes"
    yield _lookups(f"{case}, all within {RADIUS}", partial(index.range_search, queries, RADIUS))
    yield Row(case, index.stats()["bytes_per_code"], BYTES, at_most=True, unit="bytes a code")
    del index
    # Copies of an original lie within twice of what each is from it.
    originals, _, _ = data.uniform(size // COPIES, BITS, queries=0)
    index = hashret.Index(BITS, radius=RADIUS)
    for _ in range(COPIES):
        index.add(_flipped(rng, originals, RADIUS // 2))
    index.compact()
    queries = _flipped(rng, originals[rng.integers(len(originals), size=ASKED)], RADIUS // 2)
    assert (index.search(queries, K)[0] <= RADIUS).all()
    case = f"{size:,} codes, {COPIES} of each original"
    yield _lookups(f"{case}, {K} nearest", partial(index.search, queries, K))


def _lookups(case: str, search: Callable[..., object]) -> Row:
    contest = Duel({OURS: partial(search, threads=2)}).play(ROUNDS)
    best = min(contest.seconds[OURS])
    return Row(case, ASKED / contest.median(), LOOKUPS, unit="lookups/s", best=ASKED / best)


def _flipped(rng: np.random.Generator, codes: Codes, most: int) -> Codes:
    """Codes with 0 to `most` bits each turned over."""
    out = codes.copy()
    counts = rng.integers(most + 1, size=len(codes))
    for turn in range(most):
        rows = np.flatnonzero(counts > turn)
        bits = rng.integers(8 * codes.shape[1], size=len(rows))  # one drawn twice is turned back
        out[rows, bits // 8] ^= (0x80 >> bits % 8).astype(np.uint8)
    return out
