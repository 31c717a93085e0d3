"""Sets of ids that searches are restricted to, prepared once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from .. import _native
from ..errors import DTypeError, ParameterError
from ..types import Ids

__all__ = ["Filter", "all_ids", "allowed_ids"]


class Filter:
    """Some ids of an index, for its searches: made by :meth:`Index.filter`.

    Of few ids it comes to hold a copy of their codes, as soon as enough was asked to pay for that,
    so that a search compares those and no others. It is a set of ids, which never changes: ids that
    are added to the index later are not in it, and those that are removed are no longer found.
    After the index has changed, the next search prepares it anew. Filters of one index are combined
    by ``&``, ``|``, ``-`` and, for all ids that the index has just then and the filter has not,
    ``~``. Threads may share one.

    Examples
    --------
    >>> import numpy as np, hashret
    >>> index = hashret.Index(bits=8)
    >>> ids = index.add(np.arange(10, dtype=np.uint8)[:, None])
    >>> even = index.filter(ids % 2 == 0)
    >>> index.search(index.get([3]), k=2, filter=even & index.filter(range(5)))[1]
    array([[2, 0]])
    """

    __slots__ = ("_allowed", "_ids", "_native")

    def __init__(
        self, native: _native.NativeIndex, ids: Ids, allowed: _native.Allowed | None = None
    ) -> None:
        """Hold ascending ids, and what a reader has prepared of them."""
        self._native, self._ids, self._allowed = native, ids, allowed
        ids.flags.writeable = False

    @property
    def ids(self) -> Ids:
        """ndarray of int64: ascending; not to be written to."""
        return self._ids

    def __len__(self) -> int:
        """Return how many ids it has."""
        return len(self._ids)

    def __repr__(self) -> str:
        """Return how many ids it has, and of how many."""
        return f"<Filter: {len(self):,} ids of an index of {len(self._native):,}>"

    def __and__(self, other: Filter) -> Filter:
        """Return the ids that are in both."""
        return self._combined(other, "&", partial(np.intersect1d, assume_unique=True))

    def __or__(self, other: Filter) -> Filter:
        """Return the ids that are in either."""
        return self._combined(other, "|", _union)

    def __sub__(self, other: Filter) -> Filter:
        """Return the ids that are not in the other."""
        return self._combined(other, "-", partial(np.setdiff1d, assume_unique=True))

    def __invert__(self) -> Filter:
        """Return the ids that the index has now and this has not."""
        rest = np.setdiff1d(all_ids(self._native), self._ids, assume_unique=True)
        return Filter(self._native, rest)

    def _combined(self, other: Filter, sign: str, combine: Callable[[Ids, Ids], Ids]) -> Filter:
        if not isinstance(other, Filter):
            raise DTypeError(f"filter {sign} other: expected a Filter, got {type(other).__name__}")
        other.check_index(self._native)
        return Filter(self._native, combine(self._ids, other._ids))

    def check_index(self, native: _native.NativeIndex) -> None:
        """Raise an error if this was made by another index."""
        if self._native is not native:
            raise ParameterError("filter: made by another index; a filter is of one index alone")

    def open_reader(self, queries: int) -> _native.Reader:
        """Lock the index for reading those of the ids that it still has."""
        reader = _native.Reader(
            self._native,
            self._ids,
            present=True,
            allowed=self._allowed,
            queries=queries,
        )
        self._allowed = reader.allowed
        return reader


def _union(ids: Ids, others: Ids) -> Ids:
    return ascending(np.concatenate([ids, others]))


def ascending(ids: Ids) -> Ids:
    """Return ids in order, each once.

    Hashing them, as numpy.unique does, takes a hundred times as long for some.
    """
    ids = np.sort(ids)
    first = np.ones(len(ids), np.bool_)
    np.not_equal(ids[1:], ids[:-1], out=first[1:])
    return ids[first]


def all_ids(native: _native.NativeIndex) -> Ids:
    """Return all ids of one moment, ascending."""
    out = np.empty(len(native), np.int64)
    # Another thread may add between the two calls.
    while (count := native.ids(out)) > len(out):
        out = np.empty(count, np.int64)
    return out[:count]


def allowed_ids(reader: _native.Reader) -> Ids:
    """Return, ascending, the ids that the filter of a reader allows."""
    ids = np.empty(reader.allowed_ids, np.int64)
    reader.fill_allowed(ids)
    return ids
