"""Every code of an index against all others: groups, pairs and the graph of neighbours.

Each call answers from one state of the index, though it may take minutes and others may change
the index meanwhile. It reads under the index's lock, until a thread waits to change the index:
from then on it reads a copy. A lock held to the end would keep that thread waiting, and whoever
wants to search behind it; a copy made in any case would take the memory twice, of a mapped index
too, for the sake of a change that seldom comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from .. import _native
from ..types import Codes, Distances, Ids
from .batch import find_nearest, find_within, open_reader
from .schedule import run_aside, run_parts, thread_limit

__all__ = ["find_groups", "find_neighbors", "find_pairs"]

T = TypeVar("T")
Pairs = tuple[Ids, Ids, Distances]
# Codes that are searched for at once: some megabytes of results.
CHUNK = 4096
# A thread that waits to change the index waits for about so many comparisons.
COMPARISONS = 1 << 30


def find_groups(native: _native.NativeIndex, radius: int, threads: int | None) -> list[Ids]:
    """Return the ids of each group of more than one, ascending, by their smallest id."""
    limit = thread_limit(threads)
    with open_reader(native, queries=len(native)) as reader:
        join = _native.Join(reader)
        if join.borrows:
            try:
                return _groups(join, radius, limit)
            except _native.Wanted:
                join = _native.Join(reader, copy=True)
    return _groups(join, radius, limit)


def _groups(join: _native.Join, radius: int, threads: int) -> list[Ids]:
    if not len(join):
        return []
    ids, groups = _link(join, radius, threads)
    order = np.argsort(groups, kind="stable")
    _, starts = np.unique(groups[order], return_index=True)
    parts = np.split(ids[order], starts[1:])
    return [part for part in parts if len(part) > 1]


def _link(join: _native.Join, radius: int, threads: int) -> tuple[Ids, Ids]:
    """Return all ids, ascending, and the smallest id of the group of each."""
    cancel = _native.Cancel()
    run_aside(lambda: join.build(cancel), len(join), cancel)
    parents = np.empty((threads, join.nodes), np.uint32)
    run_parts(lambda p: join.run(radius, parents[p], p, threads, cancel), threads, cancel)
    ids, groups = np.empty((2, len(join)), np.int64)
    join.groups(parents, threads, ids, groups)
    return ids, groups


def find_pairs(native: _native.NativeIndex, radius: int, threads: int | None) -> Pairs:
    """Return both ids and the distance of each pair once, the smaller id first."""

    def search(reader: _native.Reader, request: _native.Request, ids: Ids) -> Pairs:
        lims, distances, others = find_within(reader, request, radius, threads)
        own = np.repeat(ids, np.diff(lims))
        once = own < others
        return own[once], others[once], distances[once]

    _, found = _of_one_state(native, search)
    found.append((np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32)))
    first, second, distances = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, distances


def find_neighbors(
    native: _native.NativeIndex, k: int, threads: int | None
) -> tuple[Ids, Distances, Ids]:
    """Return all ids and the k nearest other codes of each."""

    def search(reader: _native.Reader, request: _native.Request, ids: Ids) -> tuple[Distances, Ids]:
        return find_nearest(reader, request, k, threads, excluded=ids)

    ids, found = _of_one_state(native, search)
    found.append((np.empty((0, k), np.int32), np.empty((0, k), np.int64)))
    distances, neighbors = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return ids, distances, neighbors


def _of_one_state(
    native: _native.NativeIndex, search: Callable[[_native.Reader, _native.Request, Ids], T]
) -> tuple[Ids, list[T]]:
    """Return all ids, and what `search` finds for the codes of each some of them."""
    reader = open_reader(native, codes=True, queries=len(native))
    try:
        ids = np.empty(len(reader), np.int64)
        reader.ids(ids)
        chunk = min(CHUNK, max(COMPARISONS // max(len(ids), 1), 64))
        found = []
        for start in range(0, len(ids), chunk):
            if reader.wanted:
                copy = reader.copy()
                reader.close()
                reader = open_reader(copy, codes=True, queries=len(copy))
            some = ids[start : start + chunk]
            request = _native.Request(_codes_of(reader, some), native.bits)
            found.append(search(reader, request, some))
    finally:
        reader.close()
    return ids, found


def _codes_of(reader: _native.Reader, ids: Ids) -> Codes:
    codes = np.empty((len(ids), (reader.index.bits + 7) // 8), np.uint8)
    reader.codes(ids, len(ids), codes)
    return codes
