"""A batch of queries, searched in what a reader of the index sees."""

from __future__ import annotations

from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from .. import _native
from ..errors import ShapeError
from ..types import Distances, Ids
from .arguments import SELF, IdsOrMask, check_filter
from .cores import may_start_threads
from .filter import Filter
from .schedule import plan, run_aside, run_parts

__all__ = [
    "MOST_QUERIES",
    "compact",
    "excluded_ids",
    "find_nearest",
    "find_within",
    "leave_out",
    "open_reader",
    "reader_of",
]

Number = TypeVar("Number", np.int32, np.float64)

MISSING = -1
# For so many it is worth waiting for anything that is being made.
MOST_QUERIES = 2**62
# Made once, for the sake of single queries.
_INT32, _INT64 = np.dtype(np.int32), np.dtype(np.int64)


def open_reader(
    native: _native.NativeIndex,
    filter: Filter | IdsOrMask | None = None,
    *,
    codes: bool = False,
    queries: int = 1,
) -> _native.Reader:
    """Lock an index for reading; make what searches for so many queries need if it is missing.

    What takes long to make is made beside, and not waited for, by a thread of the index's own.
    """
    while True:
        try:
            if isinstance(filter, Filter):
                return filter.open_reader(queries)
            return _native.Reader(native, filter, codes, queries=queries)
        except _native.NotReady:
            if not (may_start_threads() and native.prepare_beside(queries)):
                cancel = _native.Cancel()
                run_aside(partial(native.make_ready, cancel), len(native), cancel)


def compact(native: _native.NativeIndex) -> None:
    """Sort and merge all codes, in a way that Ctrl-C can stop."""
    cancel = _native.Cancel()
    run_aside(partial(native.compact, cancel), len(native), cancel)


def reader_of(
    native: _native.NativeIndex, filter: Filter | npt.ArrayLike | None, queries: int
) -> _native.Reader:
    """Lock an index for so many queries, among what callers give as `filter`."""
    if isinstance(filter, Filter):
        filter.check_index(native)
    elif filter is not None:
        filter = check_filter(filter)
    return open_reader(native, filter, queries=queries)


def find_nearest(
    reader: _native.Reader,
    request: _native.Request,
    k: int,
    threads: int | None,
    excluded: Ids | str | None = None,
) -> tuple[Distances, Ids]:
    """Find the k nearest of each query, leaving out the id that it excludes."""
    if excluded is None:
        return _nearest(reader, request, k, threads)
    names = excluded_ids(excluded, request.count, reader)
    return leave_out(*_nearest(reader, request, k + 1, threads), names)


def leave_out(
    distances: npt.NDArray[Number], ids: Ids, names: Ids
) -> tuple[npt.NDArray[Number], Ids]:
    """Return results, shape (n, k + 1), without the id that each query excludes, or the last."""
    left_out = (ids == names[:, None]) & (ids != MISSING)
    left_out[~left_out.any(axis=1), -1] = True
    shape = len(ids), ids.shape[1] - 1
    return distances[~left_out].reshape(shape), ids[~left_out].reshape(shape)


def _nearest(
    reader: _native.Reader,
    request: _native.Request,
    k: int,
    threads: int | None,
    again: bool = False,
) -> tuple[Distances, Ids]:
    split, parts = plan(reader, request, threads, k, again)
    if split == "rows":
        return _nearest_by_rows(reader, request, k, parts)
    distances, ids = _empty_results((request.count, k))
    if split == "here":
        reader.search(request, k, distances, ids)
    elif split == "buckets":
        deferred = np.zeros(request.count, np.uint8)
        reader.search(request, k, distances, ids, deferred=deferred)
        left = np.flatnonzero(deferred)
        if len(left):
            index = reader.index
            rest = _native.Request(request.queries[left], index.bits, scan=index.kind == "auto")
            distances[left], ids[left] = _nearest(reader, rest, k, threads, again=True)
    else:
        search = partial(reader.search, request, k, distances, ids, parts=parts)
        run_parts(search, parts, request.cancel)
    return distances, ids


def _nearest_by_rows(
    reader: _native.Reader, request: _native.Request, k: int, parts: int
) -> tuple[Distances, Ids]:
    distances, ids = _empty_results((parts, request.count, k))
    search = partial(reader.search, request, k, distances, ids, parts=parts, by_rows=True)
    run_parts(search, parts, request.cancel)
    _native.merge(distances, ids, parts, request.count, k)
    return distances[0], ids[0]


def find_within(
    reader: _native.Reader,
    request: _native.Request,
    radius: int,
    threads: int | None,
    excluded: Ids | str | None = None,
) -> tuple[Ids, Distances, Ids]:
    """Find all within a radius of each query, leaving out the id that it excludes."""
    if excluded is None:
        return _within(reader, request, radius, threads)
    names = excluded_ids(excluded, request.count, reader)
    lims, distances, ids = _within(reader, request, radius, threads)
    kept = ids != np.repeat(names, np.diff(lims))
    counts = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
    return counts[lims], distances[kept], ids[kept]


def _within(
    reader: _native.Reader,
    request: _native.Request,
    radius: int,
    threads: int | None,
    again: bool = False,
) -> tuple[Ids, Distances, Ids]:
    split, parts = plan(reader, request, threads, None, again)
    if split == "queries":
        search = partial(_hits, reader, request, radius, parts=parts)
        return _joined(run_parts(search, parts, request.cancel))
    deferred = np.zeros(request.count, np.uint8) if split == "buckets" else None
    found = _hits(reader, request, radius, deferred=deferred)
    if deferred is not None and deferred.any():
        return _within(reader, request, radius, threads, again=True)
    return _joined([found])


def _hits(
    reader: _native.Reader,
    request: _native.Request,
    radius: int,
    part: int = 0,
    parts: int = 1,
    deferred: npt.NDArray[np.uint8] | None = None,
) -> tuple[Ids, _native.Hits]:
    """Return the hits of a part of the queries, and where those of each begin."""
    lims = np.empty(request.size(part, parts) + 1, _INT64)
    return lims, reader.range_search(request, radius, lims, part, parts, deferred)


def _joined(found: list[tuple[Ids, _native.Hits]]) -> tuple[Ids, Distances, Ids]:
    """Put the hits of consecutive queries one after the other."""
    distances, ids = _empty_results((sum(len(hits) for _, hits in found),))
    lims, start = [np.zeros(1, np.int64)], 0
    for part, hits in found:
        stop = start + len(hits)
        hits.copy_to(distances[start:stop], ids[start:stop])
        lims.append(part[1:] + start)
        start = stop
    return np.concatenate(lims), distances, ids


def _empty_results(shape: tuple[int, ...]) -> tuple[Distances, Ids]:
    return np.empty(shape, _INT32), np.empty(shape, _INT64)


def excluded_ids(excluded: Ids | str, count: int, reader: _native.Reader) -> Ids:
    """Return the id that each query excludes, of the codes that a reader sees; -1 is none."""
    if not isinstance(excluded, str):
        return excluded
    ids = np.empty(len(reader), np.int64)
    if len(ids) != count:
        raise ShapeError(
            f"exclude: {SELF!r} needs a query for each of {len(ids)} codes, got {count}"
        )
    reader.ids(ids)
    return ids
