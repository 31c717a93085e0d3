"""Answers of shards as one: that of a single index over the same codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..types import Distances, Ids

__all__ = ["Groups", "merge_nearest", "merge_within"]

_MISSING_DISTANCE, _MISSING_ID = 2147483647, -1


def merge_nearest(
    answers: Sequence[tuple[Distances, Ids]], queries: int, k: int
) -> tuple[Distances, Ids]:
    """Return the k nearest of each query among answers, by distance, then by id.

    Examples
    --------
    >>> one = np.array([[1, 5]], np.int32), np.array([[7, 8]])
    >>> merge_nearest([one, (np.array([[1]], np.int32), np.array([[3]]))], queries=1, k=3)
    (array([[1, 1, 5]], dtype=int32), array([[3, 7, 8]]))
    """
    distances = np.full((queries, k), _MISSING_DISTANCE, np.int32)
    ids = np.full((queries, k), _MISSING_ID, np.int64)
    if answers:
        near = np.concatenate([each for each, _ in answers], axis=1)
        named = np.concatenate([each for _, each in answers], axis=1)
        if len(answers) > 1:
            order = np.lexsort((named, near), axis=1)[:, :k]
            near = np.take_along_axis(near, order, axis=1)
            named = np.take_along_axis(named, order, axis=1)
        distances[:, : near.shape[1]], ids[:, : near.shape[1]] = near, named
    return distances, ids


def merge_within(
    answers: Sequence[tuple[Ids, Distances, Ids]], queries: int
) -> tuple[Ids, Distances, Ids]:
    """Return all results of each query, by distance, then by id, in CSR form."""
    lims = np.sum([np.zeros(queries + 1, np.int64), *(each for each, _, _ in answers)], axis=0)
    if not answers:
        return lims, np.empty(0, np.int32), np.empty(0, np.int64)
    rows = np.concatenate([np.repeat(np.arange(queries), np.diff(each)) for each, _, _ in answers])
    distances = np.concatenate([each for _, each, _ in answers])
    ids = np.concatenate([each for _, _, each in answers])
    order = np.lexsort((ids, distances, rows))
    return lims, distances[order], ids[order]


class Groups:
    """Groups of ids, named by their least id, that links join.

    Parameters
    ----------
    names : ndarray of int64
        Of all groups, ascending.
    """

    def __init__(self, names: Ids) -> None:
        self._names = names
        self._parents = np.arange(len(names))

    def link(self, some: Ids, others: Ids) -> None:
        """Join each group with the other one, by their names."""
        for one, other in zip(self._rows(some), self._rows(others), strict=True):
            low, high = sorted((self._root(int(one)), self._root(int(other))))
            self._parents[high] = low

    @property
    def linked(self) -> Ids:
        """Names of the groups that were joined with others, ascending."""
        roots = self._roots()
        sizes = np.bincount(roots, minlength=len(roots))
        return self._names[sizes[roots] > 1]

    def collect(self, members: Iterable[tuple[Ids, Ids]]) -> list[Ids]:
        """Return the ids of each joined group, ascending, the groups by their least ids.

        Parameters
        ----------
        members : iterable of (ids, names)
        """
        parts = list(members)
        ids = np.concatenate([np.empty(0, np.int64), *(each for each, _ in parts)])
        names = np.concatenate([np.empty(0, np.int64), *(each for _, each in parts)])
        roots = self._names[self._roots()[self._rows(names)]]
        order = np.lexsort((ids, roots))
        starts = np.flatnonzero(np.diff(roots[order])) + 1
        return np.split(ids[order], starts) if len(ids) else []

    def _rows(self, names: Ids) -> Ids:
        return np.searchsorted(self._names, names)

    def _root(self, row: int) -> int:
        while (parent := int(self._parents[row])) != row:
            # Halves the path, so that the next walk is shorter.
            self._parents[row] = row = int(self._parents[parent])
        return row

    def _roots(self) -> Ids:
        # A parent is before its children: they come to their roots in few rounds.
        roots = self._parents
        while not np.array_equal(above := roots[roots], roots):
            roots = above
        return roots
