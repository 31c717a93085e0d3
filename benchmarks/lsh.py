"""Searching the bucket tables of real codes, ours and faiss's, by recall."""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import Any, NamedTuple

import numpy as np

import hashret
from hashret import _native

from . import check, peers
from .data import Real

K = 10


class Way(NamedTuple):
    """One way to search: what it finds, and the codes it compares a query with."""

    search: Callable[[], Any]
    recall: float
    checked: float | None


def probes(bits: int, flips: int) -> int:
    """Buckets within `flips` flipped bits of the query's own."""
    return sum(comb(bits, flip) for flip in range(flips + 1))


def ours(index: hashret.Index, real: Real, count: int, exact: Any, margins: bool) -> Way:
    """Probe `count` buckets a table, in order of flips or of the queries' margins."""
    order = real.margins if margins else None

    def search() -> Any:
        return index.search(real.queries, K, probes=count, margins=order, threads=1)

    return Way(search, check.recall(search()[0], exact), _checked(index, real, count, order))


def theirs(index: Any, real: Real, flips: int, exact: Any) -> Way:
    """Probe faiss's buckets within `flips` flipped bits."""
    index.nflip = flips
    queries = hashret.codes.to_lsb_first(real.queries, real.bits)

    def search() -> Any:
        index.nflip = flips
        return index.search(queries, K)

    peers.faiss.cvar.indexBinaryHash_stats.reset()
    found = check.recall(search()[0], exact)
    return Way(search, found, peers.faiss.cvar.indexBinaryHash_stats.ndis / len(queries))


def same_found(ours: Way, theirs: Way) -> None:
    """Assert that equal buckets give equal distances."""
    assert np.array_equal(ours.search()[0], theirs.search()[0])


def _checked(index: hashret.Index, real: Real, count: int, margins: Any) -> float:
    """Candidates a query: the engine counts them, the public search does not tell."""
    shape = (len(real.queries), K)
    request = _native.Request(real.queries, real.bits, margins, count)
    with _native.Reader(index._native) as reader:
        checked, *_ = reader.search(request, K, np.empty(shape, "i4"), np.empty(shape, "i8"))
    return float(checked) / len(real.queries)
