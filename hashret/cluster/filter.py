"""Sets of ids that searches of a sharded index are restricted to, prepared once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DTypeError, ParameterError
from ..types import Ids
from .manifest import Shard
from .shard import Allowed

__all__ = ["ShardedFilter"]


class ShardedFilter:
    """Some ids of a sharded index, for its searches: made by :meth:`.ShardedIndex.filter`.

    A set of ids that never changes: those that are removed from the index are no longer found.
    Filters of one index are combined by ``&``, ``|``, ``-`` and ``~``.

    Attributes
    ----------
    ids : ndarray of int64
        Ascending; not to be written to.
    """

    def __init__(self, index: Any, ids: Ids) -> None:
        self._index, self.ids = index, ids
        ids.flags.writeable = False
        self._parts: dict[tuple[int, int], Allowed] = {}

    def __len__(self) -> int:
        """Return how many ids it has."""
        return len(self.ids)

    def __repr__(self) -> str:
        """Return how many ids it has."""
        return f"<ShardedFilter: {len(self):,} ids>"

    def __and__(self, other: ShardedFilter) -> ShardedFilter:
        """Return the ids that are in both."""
        return self._combined(other, np.intersect1d)

    def __or__(self, other: ShardedFilter) -> ShardedFilter:
        """Return the ids that are in either."""
        return self._combined(other, np.union1d)

    def __sub__(self, other: ShardedFilter) -> ShardedFilter:
        """Return the ids that are not in the other."""
        return self._combined(other, np.setdiff1d)

    def __invert__(self) -> ShardedFilter:
        """Return the ids that the index has now and this has not."""
        return ShardedFilter(self._index, np.setdiff1d(self._index.ids, self.ids))

    def of(self, shard: Shard) -> Allowed:
        """Return those ids that a shard may have."""
        span = shard.low, shard.high
        if span not in self._parts:
            low, high = (
                np.searchsorted(self.ids, span[0]),
                np.searchsorted(self.ids, span[1], "right"),
            )
            ids = self.ids[low:high]
            self._parts[span] = Allowed(ids, hashlib.sha256(ids.tobytes()).hexdigest())
        return self._parts[span]

    def check_index(self, index: Any) -> None:
        """Raise an error if this was made by another index."""
        if self._index is not index:
            raise ParameterError("filter: made by another index; a filter is of one index alone")

    def _combined(self, other: ShardedFilter, combine: Callable[[Ids, Ids], Ids]) -> ShardedFilter:
        if not isinstance(other, ShardedFilter):
            raise DTypeError(f"filter: expected a ShardedFilter, got {type(other).__name__}")
        other.check_index(self._index)
        return ShardedFilter(self._index, combine(self.ids, other.ids))
