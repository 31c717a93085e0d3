"""One state of a sharded index: its manifest, and whoever answers for the shards in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..checks import as_int64, as_integers, check_int, check_k
from ..codes import as_codes
from ..errors import FormatError, IdError, ParameterError, ShapeError, UnavailableError
from ..types import Codes, Distances, Ids
from .checksums import Checksums
from .filter import ShardedFilter
from .fleet import Call, Fleet
from .manifest import Manifest, Shard
from .merging import Groups, merge_nearest, merge_within

__all__ = ["Nearest", "Question", "State", "Within"]

T = TypeVar("T")
Nearest = tuple[Distances, Ids]
Within = tuple[Ids, Distances, Ids]
# Seconds of work that reads all codes, rather than searches.
_LONG = 3600.0


@dataclass(frozen=True)
class Question:
    """What shards are asked for the sake of one answer.

    Attributes
    ----------
    calls : list of Call
        One a shard.
    merge : callable
        From the shards' answers to that of all.
    """

    calls: list[Call]
    merge: Callable[[list[Any]], Any]

    def answer(self, answers: Sequence[Any], partial: bool) -> Any:
        """Return the answer of all, with `partial` also the shards that gave none; or raise."""
        missing = _missing(self.calls, answers)
        if missing and not partial:
            raise _unavailable(self.calls, answers)
        found = self.merge([each for each in answers if not isinstance(each, Exception)])
        return (found, missing) if partial else found


class State:
    """What is asked of all shards of one manifest.

    Attributes
    ----------
    manifest : Manifest
    """

    def __init__(self, manifest: Manifest, fleet: Fleet, timeout: float) -> None:
        self.manifest, self._fleet, self._timeout = manifest, fleet, timeout

    @property
    def shards(self) -> tuple[Shard, ...]:
        """Its shards."""
        return self.manifest.shards

    @property
    def ids(self) -> Ids:
        """All ids, ascending."""
        parts = self._ask_all("ids")
        return np.sort(np.concatenate([np.empty(0, np.int64), *parts]))

    @property
    def checksums(self) -> tuple[Ids, Checksums]:
        """All ids, ascending, and of each the checksum of its code."""
        ids = np.concatenate([np.empty(0, np.int64), *self._ask_all("ids")])
        sums = self._ask_all("checksums", timeout=_LONG)
        order = np.argsort(ids)
        return ids[order], np.concatenate([np.empty(0, np.uint64), *sums])[order]

    # -- searches --------------------------------------------------------------------

    def nearest(self, queries: npt.ArrayLike, k: int, **options: Any) -> Question:
        """Return what to ask for the k nearest codes; options are those of :meth:`_calls`."""
        k = check_k(k)
        packed = as_codes(queries, self.manifest.bits, "queries")
        calls = self._calls("search", packed, k, **options)
        return Question(calls, lambda answers: merge_nearest(answers, len(packed), k))

    def within(self, queries: npt.ArrayLike, radius: int, **options: Any) -> Question:
        """Return what to ask for all codes within a radius."""
        radius = min(check_int("radius", radius, 0), self.manifest.bits)
        packed = as_codes(queries, self.manifest.bits, "queries")
        calls = self._calls("range_search", packed, radius, **options)
        return Question(calls, lambda answers: merge_within(answers, len(packed)))

    def allowed(self, filter: npt.ArrayLike | range) -> Ids:
        """Return, ascending, the ids that a filter names: all of them are here."""
        if isinstance(filter, range):
            if filter.step != 1:
                raise ParameterError(f"allowed: expected a range without steps, got {filter}")
            ids = self.ids
            inside: Ids = ids[(ids >= filter.start) & (ids < filter.stop)]
            return inside
        given = as_integers("filter", filter)
        if given.ndim != 1:
            raise ShapeError(f"filter: expected one dimension, got shape {given.shape}")
        if given.dtype == np.bool_:
            ids = self.ids
            if len(given) != len(ids):
                raise ShapeError(
                    f"filter: expected a mask over {len(ids)} ids, got one of {len(given)}"
                )
            masked: Ids = ids[given]
            return masked
        wanted = np.unique(as_int64("filter", given))
        self.where(wanted, "filter")
        return wanted

    # -- by ids ------------------------------------------------------------------------

    def where(self, ids: Ids, name: str = "") -> Ids:
        """Return the number of each id's shard; -1 where there is none, unless that is an error.

        Raises
        ------
        IdError
            If an argument's `name` is given, and an id is in no shard.
        """
        where = np.full(len(ids), -1)
        inside = [(ids >= shard.low) & (ids <= shard.high) for shard in self.shards]
        numbers = [number for number, some in enumerate(inside) if some.any()]
        calls = [Call(self.shards[n], "has", (ids[inside[n]],)) for n in numbers]
        for number, has in zip(numbers, self.ask(calls), strict=True):
            where[np.flatnonzero(inside[number])[has]] = number
        if name and (where < 0).any():
            raise IdError(f"{name}: unknown id {ids[where < 0][0]}")
        return where

    def get(self, ids: Ids) -> Codes:
        """Return the codes of ids."""
        where = self.where(ids, "ids")
        codes = np.empty((len(ids), (self.manifest.bits + 7) // 8), np.uint8)
        numbers = np.unique(where)
        calls = [Call(self.shards[n], "get", (ids[where == n],)) for n in numbers]
        for number, part in zip(numbers, self.ask(calls), strict=True):
            codes[where == number] = part
        return codes

    def all_of(self, shards: Sequence[Shard]) -> tuple[Codes, Ids]:
        """Return all codes of shards, and their ids."""
        ids = self.ask([Call(shard, "ids") for shard in shards], _LONG)
        calls = [Call(shard, "get", (part,)) for shard, part in zip(shards, ids, strict=True)]
        return np.concatenate(self.ask(calls, _LONG)), np.concatenate(ids)

    # -- all codes against each other ------------------------------------------------------

    def duplicates(self, radius: int, threads: int | None) -> list[Ids]:
        """Return the groups of codes that are linked within a radius."""
        radius = min(check_int("radius", radius, 0), self.manifest.bits)
        try:
            names = self._ask_all("groups", radius, threads, timeout=_LONG)
            groups = Groups(np.sort(np.concatenate([np.empty(0, np.int64), *names])))
            for number, shard in enumerate(self.shards):
                self._link(groups, shard, self.shards[number + 1 :], radius, threads)
            linked = groups.linked
            return groups.collect(self._ask_all("members", radius, linked, threads, timeout=_LONG))
        finally:
            self._fleet.ask([Call(shard, "unlink") for shard in self.shards], self._timeout)

    def _link(
        self,
        groups: Groups,
        shard: Shard,
        others: Sequence[Shard],
        radius: int,
        threads: int | None,
    ) -> None:
        for codes, own in self._distinct(shard, radius, threads) if others else ():
            calls = [Call(other, "near", (radius, codes, threads)) for other in others]
            for rows, theirs in self.ask(calls, _LONG):
                groups.link(own[rows], theirs)

    def _distinct(
        self, shard: Shard, radius: int, threads: int | None
    ) -> Iterator[tuple[Codes, Ids]]:
        start = 0
        while True:
            call = Call(shard, "distinct", (radius, start, threads))
            [(codes, labels)] = self.ask([call], _LONG)
            if not len(codes):
                return
            yield codes, labels
            start += len(codes)

    # -- asking ------------------------------------------------------------------------------

    def ask(self, calls: Sequence[Call], timeout: float | None = None) -> list[Any]:
        """Return the answers of calls, or raise if one has none."""
        answers = self._fleet.ask(calls, timeout or self._timeout)
        if _missing(calls, answers):
            raise _unavailable(calls, answers)
        return answers

    def _ask_all(self, method: str, *arguments: Any, timeout: float | None = None) -> list[Any]:
        return self.ask([Call(shard, method, arguments) for shard in self.shards], timeout)

    def _calls(
        self,
        method: str,
        packed: Codes,
        limit: int,
        *,
        filter: ShardedFilter | None,
        exclude: Any,
        threads: int | None,
    ) -> list[Call]:
        if threads is not None:
            check_int("threads", threads, 1)
        excluded = None if exclude is None else self._excluded(exclude, len(packed))
        parts = [(shard, filter and filter.of(shard)) for shard in self.shards]
        return [
            Call(shard, method, (packed, limit, allowed, excluded, threads))
            for shard, allowed in parts
            if allowed is None or len(allowed.ids)
        ]

    def _excluded(self, exclude: Any, count: int) -> Ids:
        if isinstance(exclude, str):
            if exclude != "self":
                raise ParameterError(f"exclude: expected ids or 'self', got {exclude!r}")
            if count != len(self.manifest):
                raise ShapeError(
                    f"exclude: 'self' needs a query for each of {len(self.manifest)} codes, "
                    f"got {count}"
                )
            return self.ids
        array = as_integers("exclude", exclude)
        if array.shape != (count,):
            raise ShapeError(f"exclude: expected an id a query, ({count},), got {array.shape}")
        return as_int64("exclude", array)


def _missing(calls: Sequence[Call], answers: Sequence[Any]) -> tuple[str, ...]:
    """Return the names of shards that did not answer; raise what is wrong with the call itself."""
    for answer in answers:
        if isinstance(answer, Exception) and not isinstance(answer, (FormatError, OSError)):
            raise answer
    pairs = zip(calls, answers, strict=True)
    return tuple(call.shard.name for call, answer in pairs if isinstance(answer, Exception))


def _unavailable(calls: Sequence[Call], answers: Sequence[Any]) -> UnavailableError:
    pairs = zip(calls, answers, strict=True)
    reasons = {call.shard.name: each for call, each in pairs if isinstance(each, Exception)}
    told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return UnavailableError(
        f"{len(reasons)} of {len(calls)} shards do not answer ({told}); "
        "partial=True answers without them",
        tuple(reasons),
    )
