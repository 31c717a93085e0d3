"""Searching an index by a ranking rule."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .. import _native
from ..checks import check_k, check_number
from ..errors import DTypeError, ParameterError
from ..ranking import FloatQuery, Rule, check_rule
from ..types import Floats, Ids
from .arguments import check_exclude, check_threads
from .batch import excluded_ids, leave_out, reader_of
from .filter import Filter
from .schedule import PARALLEL_WORDS, run_parts, thread_limit

__all__ = ["Ranked"]

_EXACT = ("auto", "mih", "scan")


class Ranked:
    """An index as one of its ranking rules orders it: made by :meth:`hashret.Index.ranked`.

    It is a view: what is added to the index, or removed, is found here, or no longer. What it
    keeps are the different prefixes of the sorted codes, from one search to the next until the
    index sorts anew. Threads may share one.

    Searches are exact. The different prefixes of the codes are taken in the order of what they
    cost, and the codes of each are compared, until no other prefix can have any that matters.
    """

    def __init__(self, native: _native.NativeIndex, encoder: str | None, rule: Rule) -> None:
        if not isinstance(rule, Rule):
            raise DTypeError(f"rule: expected a Rule, got {type(rule).__name__}")
        if rule.bits != native.bits:
            raise ParameterError(
                f"rule: for codes of {rule.bits} bits, the index holds {native.bits}"
            )
        if native.kind not in _EXACT:
            raise ParameterError(
                f"rule: expected an index of kind {', '.join(_EXACT)}, this is {native.kind!r}"
            )
        check_rule(encoder, rule)
        self._native, self._rule = native, rule
        self._prefixes: _native.Prefixes | None = None

    @property
    def rule(self) -> Rule:
        """The rule."""
        return self._rule

    def by_margins(self) -> Ranked:
        """Return a view by the same rule for float queries, or this one if it takes those."""
        if self._rule.takes == "margins":
            return self
        return Ranked(self._native, None, FloatQuery(self._rule))

    def __repr__(self) -> str:
        """Return the rule, and how many codes there are."""
        return f"<Ranked by {self._rule!r}: an index of {len(self._native):,}>"

    def search(
        self,
        queries: npt.ArrayLike,
        k: int,
        *,
        filter: Filter | npt.ArrayLike | None = None,
        exclude: npt.ArrayLike | Literal["self"] | None = None,
        threads: int | None = None,
    ) -> tuple[Floats, Ids]:
        """Find the k nearest codes of each query.

        Parameters
        ----------
        queries : array_like
            As the rule takes them: packed codes; or margins, float (n_queries, bits).
        k, filter, exclude, threads
            As of :meth:`hashret.Index.search`. Threads share the queries.

        Returns
        -------
        distances : ndarray of float64, shape (n_queries, k)
            By the rule, ascending; infinity where there are fewer than k.
        ids : ndarray of int64, shape (n_queries, k)
            Among equal distances ascending; -1 where there are fewer than k.

        Raises
        ------
        ShapeError, DTypeError, CodeError
            If the queries, `filter` or `exclude` do not fit, or margins hold NaN.
        ParameterError
            If `k` or `threads` is less than 1.
        IdError
            If `filter` names an unknown id.
        """
        k = check_k(k)
        request, threads = self._request(queries), check_threads(threads)
        excluded = None if exclude is None else check_exclude(exclude, request.count)
        with reader_of(self._native, filter, request.count) as reader:
            if excluded is None:
                return self._nearest(reader, request, k, threads)
            names = excluded_ids(excluded, request.count, reader)
            distances, ids = self._nearest(reader, request, k + 1, threads)
            return leave_out(distances, ids, names)

    def range_search(
        self,
        queries: npt.ArrayLike,
        radius: float,
        *,
        filter: Filter | npt.ArrayLike | None = None,
        threads: int | None = None,
    ) -> tuple[Ids, Floats, Ids]:
        """Find all codes at a distance of at most `radius` of each query.

        Parameters
        ----------
        queries, filter, threads
            As of :meth:`search`.
        radius : float
            At least 0; may be infinite.

        Returns
        -------
        lims : ndarray of int64, shape (n_queries + 1,)
            Query i has the results ``lims[i]:lims[i + 1]``.
        distances : ndarray of float64, shape (lims[-1],)
        ids : ndarray of int64, shape (lims[-1],)
            Sorted by (distance, id) within a query.

        Raises
        ------
        ShapeError, DTypeError, CodeError, IdError
            As :meth:`search` does.
        ParameterError
            If `radius` is negative or NaN, or `threads` less than 1.
        """
        radius = _check_radius(radius)
        request, threads = self._request(queries), check_threads(threads)
        with reader_of(self._native, filter, request.count) as reader:
            prefixes = self._fitting(reader)

            def part_of(part: int, parts: int) -> tuple[Ids, _native.RankedHits]:
                lims = np.empty(request.size(part, parts) + 1, np.int64)
                return lims, reader.ranked_within(request, prefixes, radius, lims, part, parts)

            found = self._in_parts(part_of, reader, request, threads)
        return _joined(found)

    def _nearest(
        self,
        reader: _native.Reader,
        request: _native.RankedRequest,
        k: int,
        threads: int | None,
    ) -> tuple[Floats, Ids]:
        distances = np.empty((request.count, k), np.float64)
        ids = np.empty((request.count, k), np.int64)
        search = partial(reader.ranked_search, request, self._fitting(reader), k, distances, ids)
        self._in_parts(search, reader, request, threads)
        return distances, ids

    def _request(self, queries: npt.ArrayLike) -> _native.RankedRequest:
        asked = self._rule.ask(queries)
        return _native.RankedRequest(
            asked.codes, self._rule.bits, asked.least, asked.costs, asked.cells, asked.rows
        )

    def _fitting(self, reader: _native.Reader) -> _native.Prefixes:
        """Return the prefixes of the codes as they are sorted now."""
        prefixes = self._prefixes
        if prefixes is None or not prefixes.fit(reader):
            rule = self._rule
            prefixes = _native.Prefixes(reader, rule.prefix_bits, rule.centres, rule.share)
            self._prefixes = prefixes
        return prefixes

    def _in_parts(
        self,
        task: Any,
        reader: _native.Reader,
        request: _native.RankedRequest,
        threads: int | None,
    ) -> list[Any]:
        """Call ``task(part, parts)`` for parts of the queries, on several threads if that pays."""
        words = request.count * reader.compared * ((self._rule.bits + 63) // 64)
        if words < PARALLEL_WORDS:
            return [task(0, 1)]
        # One part, too, is on a thread of its own, so that Ctrl-C ends it.
        parts = max(min(thread_limit(threads), request.count), 1)
        return run_parts(lambda part: task(part, parts), parts, request.cancel)


def _check_radius(radius: float) -> float:
    if isinstance(radius, (float, np.floating)) and radius == math.inf:
        return math.inf
    return float(check_number("radius", radius, least=0))


def _joined(found: list[tuple[Ids, _native.RankedHits]]) -> tuple[Ids, Floats, Ids]:
    """Put the hits of consecutive queries one after the other."""
    total = sum(len(hits) for _, hits in found)
    distances, ids = np.empty(total, np.float64), np.empty(total, np.int64)
    lims, start = [np.zeros(1, np.int64)], 0
    for part, hits in found:
        stop = start + len(hits)
        hits.copy_to(distances[start:stop], ids[start:stop])
        lims.append(part[1:] + start)
        start = stop
    return np.concatenate(lims), distances, ids
