"""A batch of queries, and its division among threads that Ctrl-C can stop."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from . import _native
from ._threads import available_cores

__all__ = [
    "Batch",
    "Distances",
    "Ids",
    "available_cores",
    "range_without",
    "run_aside",
    "run_parts",
    "without",
]

MISSING = -1
# Fewer codes are sorted and have tables within some tenths of a second.
SOON_READY = 1 << 20

Ids = npt.NDArray[np.int64]
Distances = npt.NDArray[np.int32]
T = TypeVar("T")


def run_parts(task: Callable[[int], T], parts: int, cancel: _native.Cancel) -> list[T]:
    """Call ``task(0) .. task(parts - 1)`` at once on as many threads.

    The calling thread only waits, so that Ctrl-C reaches it; then, and if a
    part fails, `cancel` stops the others, and all are over on return. A thread that cannot
    be started is a MemoryError: there is no room for its stack. Threads that outlive the main
    one cannot start others in Python; they do all of it themselves.
    """
    pool = ThreadPoolExecutor(parts, thread_name_prefix="hashret")
    try:
        futures = _start(pool, task, parts)
        return [future.result() for future in futures]
    except _EndingError:
        return [task(part) for part in range(parts)]
    except BaseException:
        cancel.set()
        raise
    finally:
        pool.shutdown()


def run_aside(task: Callable[[], T], codes: int, cancel: _native.Cancel) -> T:
    """Call what sorts so many codes; if that takes long, on a thread that Ctrl-C can stop."""
    if codes < SOON_READY:
        return task()
    return run_parts(lambda part: task(), 1, cancel)[0]


def _start(pool: ThreadPoolExecutor, task: Callable[[int], T], parts: int) -> list[Future[T]]:
    try:
        return [pool.submit(task, part) for part in range(parts)]
    except RuntimeError as error:
        if "shutdown" not in str(error):
            raise MemoryError(f"search: {error}") from None
        pool.shutdown(cancel_futures=True)
        raise _EndingError from None


class _EndingError(Exception):
    """The interpreter is shutting down."""


class Batch:
    """Checked queries with their options."""

    __slots__ = ("bits", "count", "margins", "probes", "queries", "scan")

    def __init__(
        self,
        queries: npt.NDArray[np.uint8],
        bits: int,
        margins: npt.NDArray[np.float32] | None,
        probes: int,
        scan: bool = False,
    ) -> None:
        self.queries, self.bits, self.margins, self.probes = queries, bits, margins, probes
        self.scan = scan
        self.count = len(queries)

    def search_here(self, reader: _native.Reader, k: int) -> tuple[Distances, Ids]:
        """Search on the calling thread: for work too short for others."""
        distances, ids = _empty_results((self.count, k))
        request = _native.Request(self.queries, self.count, self.bits, self.margins, self.probes)
        reader.search(request, k, distances, ids)
        return distances, ids

    def search_told(
        self, reader: _native.Reader, k: int
    ) -> tuple[Distances, tuple[int, int, int, int]]:
        """Search on the calling thread; return distances and what was done."""
        distances, ids = _empty_results((self.count, k))
        request = _native.Request(self.queries, self.count, self.bits, self.margins, self.probes)
        return distances, reader.search(request, k, distances, ids)

    def search_planned(
        self, reader: _native.Reader, k: int, parts: Callable[[], int], scan: bool
    ) -> tuple[Distances, Ids]:
        """Look into buckets on the calling thread; what takes longer goes on on `parts()` threads.

        There it is scanned, if `scan`, or begun anew.
        """
        distances, ids = _empty_results((self.count, k))
        request = _native.Request(self.queries, self.count, self.bits)
        deferred = np.zeros(self.count, np.uint8)
        reader.search(request, k, distances, ids, deferred=deferred)
        left = np.flatnonzero(deferred)
        if len(left):
            rest = Batch(self.queries[left], self.bits, None, 1, scan=scan)
            distances[left], ids[left] = rest.search(reader, k, parts())
        return distances, ids

    def search(self, reader: _native.Reader, k: int, parts: int) -> tuple[Distances, Ids]:
        """Search on `parts` threads."""
        if self.count < parts:
            return self._search_rows(reader, k, parts)
        return self._search_queries(reader, k, parts)

    def _search_queries(self, reader: _native.Reader, k: int, parts: int) -> tuple[Distances, Ids]:
        """Give each thread a share of the queries."""
        cancel = _native.Cancel()
        distances, ids = _empty_results((self.count, k))

        def search_part(part: int) -> None:
            rows = self._share(part, parts)
            reader.search(self._request(rows, cancel), k, distances[rows], ids[rows])

        run_parts(search_part, parts, cancel)
        return distances, ids

    def _search_rows(self, reader: _native.Reader, k: int, parts: int) -> tuple[Distances, Ids]:
        """Give each thread a share of the codes, and merge what they found."""
        cancel = _native.Cancel()
        distances, ids = _empty_results((parts, self.count, k))
        request = self._request(slice(0, self.count), cancel)

        def search_part(part: int) -> None:
            reader.search(request, k, distances[part], ids[part], part, parts)

        run_parts(search_part, parts, cancel)
        _native.merge(distances, ids, parts, self.count, k)
        return distances[0], ids[0]

    def range_search(
        self, reader: _native.Reader, radius: int, parts: int, here: bool
    ) -> tuple[Ids, Distances, Ids]:
        """Search a radius, on the calling thread or on at most `parts` others."""
        cancel = _native.Cancel()
        parts = min(parts, max(self.count, 1))

        def search_part(part: int) -> tuple[Ids, _native.Hits]:
            rows = self._share(part, parts)
            lims = np.empty(rows.stop - rows.start + 1, np.int64)
            return lims, reader.range_search(self._request(rows, cancel), radius, lims)

        return _join([search_part(0)] if here else run_parts(search_part, parts, cancel))

    def range_planned(
        self, reader: _native.Reader, radius: int, parts: Callable[[], int]
    ) -> tuple[Ids, Distances, Ids]:
        """Look into buckets on the calling thread; if that is not enough, search on others."""
        request = _native.Request(self.queries, self.count, self.bits)
        lims, deferred = np.empty(self.count + 1, np.int64), np.zeros(self.count, np.uint8)
        hits = reader.range_search(request, radius, lims, deferred=deferred)
        if deferred.any():
            return self.range_search(reader, radius, parts(), here=False)
        return _join([(lims, hits)])

    def _share(self, part: int, parts: int) -> slice:
        return slice(part * self.count // parts, (part + 1) * self.count // parts)

    def _request(self, rows: slice, cancel: _native.Cancel) -> _native.Request:
        margins = None if self.margins is None else self.margins[rows]
        count = rows.stop - rows.start
        return _native.Request(
            self.queries[rows], count, self.bits, margins, self.probes, cancel, self.scan
        )


def without(distances: Distances, ids: Ids, excluded: Ids) -> tuple[Distances, Ids]:
    """Leave out of each row of results the one of an excluded id, or else the last.

    An excluded id of -1 is none, as no code has it.
    """
    left_out = (ids == excluded[:, None]) & (ids != MISSING)
    left_out[~left_out.any(axis=1), -1] = True
    shape = len(ids), ids.shape[1] - 1
    return distances[~left_out].reshape(shape), ids[~left_out].reshape(shape)


def range_without(
    lims: Ids, distances: Distances, ids: Ids, excluded: Ids
) -> tuple[Ids, Distances, Ids]:
    """Leave out of the results of a radius those of an excluded id."""
    kept = ids != np.repeat(excluded, np.diff(lims))
    counts = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
    return counts[lims], distances[kept], ids[kept]


# Made once, for the sake of single queries.
_INT32, _INT64 = np.dtype(np.int32), np.dtype(np.int64)


def _empty_results(shape: tuple[int, ...]) -> tuple[Distances, Ids]:
    return np.empty(shape, _INT32), np.empty(shape, _INT64)


def _join(found: list[tuple[Ids, _native.Hits]]) -> tuple[Ids, Distances, Ids]:
    """Put the hits of consecutive queries one after the other."""
    distances, ids = _empty_results((sum(len(hits) for _, hits in found),))
    lims, start = [np.zeros(1, np.int64)], 0
    for part, hits in found:
        stop = start + len(hits)
        hits.copy_to(distances[start:stop], ids[start:stop])
        lims.append(part[1:] + start)
        start = stop
    return np.concatenate(lims), distances, ids
