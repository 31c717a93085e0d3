"""Every code of an index against all others: groups, pairs and the graph of neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import _native
from ._batch import Distances, Ids, run_parts

if TYPE_CHECKING:
    from .index import Index

__all__ = ["find_groups", "find_neighbors", "find_pairs"]

# Codes that are searched for at once: some megabytes of results.
CHUNK = 4096


def find_groups(native: _native.NativeIndex, radius: int, threads: int) -> list[Ids]:
    """Return the ids of each group of more than one, ascending, by their smallest id."""
    with _native.Join(native) as join:
        cancel = _native.Cancel()
        parents = np.empty((threads, join.nodes), np.uint32)
        run_parts(lambda p: join.run(radius, parents[p], p, threads, cancel), threads, cancel)
        ids, groups = np.empty((2, len(join)), np.int64)
        join.groups(parents, threads, ids, groups)
    order = np.argsort(groups, kind="stable")
    _, starts = np.unique(groups[order], return_index=True)
    parts = np.split(ids[order], starts[1:])
    return [part for part in parts if len(part) > 1]


def _chunks(index: Index) -> Iterator[tuple[Ids, npt.NDArray[np.uint8]]]:
    ids = index.ids
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        yield some, index.get(some)


def find_pairs(index: Index, radius: int, threads: int | None) -> tuple[Ids, Ids, Distances]:
    """Return both ids and the distance of each pair once, the smaller id first."""
    found: list[tuple[Ids, Ids, Distances]] = []
    for ids, codes in _chunks(index):
        lims, distances, others = index.range_search(codes, radius, threads=threads)
        own = np.repeat(ids, np.diff(lims))
        once = own < others
        found.append((own[once], others[once], distances[once]))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32)
    first, second, distances = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, distances


def find_neighbors(index: Index, k: int, threads: int | None) -> tuple[Ids, Distances, Ids]:
    """Return all ids and the k nearest other codes of each."""
    rows = [_without_self(index, ids, codes, k, threads) for ids, codes in _chunks(index)]
    distances = [np.empty((0, k), np.int32), *(row[0] for row in rows)]
    neighbors = [np.empty((0, k), np.int64), *(row[1] for row in rows)]
    return index.ids, np.concatenate(distances), np.concatenate(neighbors)


def _without_self(
    index: Index, ids: Ids, codes: npt.NDArray[np.uint8], k: int, threads: int | None
) -> tuple[Distances, Ids]:
    """Search for one more than k, and leave out the code itself, or else the last."""
    distances, found = index.search(codes, k + 1, threads=threads)
    keep = found != ids[:, None]
    keep[keep.all(axis=1), -1] = False
    shape = (len(ids), k)
    return distances[keep].reshape(shape), found[keep].reshape(shape)
