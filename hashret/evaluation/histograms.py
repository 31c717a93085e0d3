"""From codes and labels to counts by distance, which every measure is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ..codes import as_codes, distance_histogram, hamming_distances
from ..errors import DTypeError, ParameterError, ShapeError
from ..types import Bools, Codes
from .labels import bears_label, match_labels, share_a_label

Counts = npt.NDArray[np.int64]
Reals = npt.NDArray[np.floating[Any]]
Exclude: TypeAlias = Literal["self"] | npt.ArrayLike | None

# Distances of pairs are the diagonals of squares of this many.
_PAIRS = 32


@dataclass(frozen=True)
class DistanceHistograms:
    """How many items, and how many relevant ones, lie at each distance from each query.

    Attributes
    ----------
    items : ndarray of int64, shape (n_queries, bits + 1)
        Database items at Hamming distance 0 to bits; or at each of other distances, nearest first.
    relevant : ndarray of int64, shape (n_queries, bits + 1)
        Those of them that are relevant.

    Raises
    ------
    ShapeError, DTypeError, ParameterError
        If they are no such counts, or more items are relevant somewhere than there are.
    """

    items: Counts
    relevant: Counts

    def __post_init__(self) -> None:
        for name in ("items", "relevant"):
            object.__setattr__(self, name, plain_array(getattr(self, name), name))
        if self.items.ndim != 2 or self.items.shape != self.relevant.shape:
            raise ShapeError(
                "items, relevant: expected the same shape (n_queries, bits + 1), "
                f"got {self.items.shape} and {self.relevant.shape}"
            )
        for name, counts in (("items", self.items), ("relevant", self.relevant)):
            if counts.dtype.kind not in "iu":
                raise DTypeError(f"{name}: expected integers, got {counts.dtype}")
        unfit = (self.relevant < 0) | (self.relevant > self.items)
        if unfit.any():
            row, distance = np.argwhere(unfit)[0]
            raise ParameterError(
                f"relevant: expected 0 to {self.items[row, distance]}, as many as the items at "
                f"distance {distance} from query {row}, got {self.relevant[row, distance]}"
            )

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, rows: slice) -> DistanceHistograms:
        return DistanceHistograms(self.items[rows], self.relevant[rows])


def distance_histograms(
    queries: npt.ArrayLike,
    codes: npt.ArrayLike,
    bits: int,
    query_labels: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    exclude: Exclude = None,
) -> DistanceHistograms:
    """Count the database items by distance from each query, all and relevant ones.

    An item is relevant if its label equals the query's, or, where images have several labels, if
    they share one. An item whose label is missing is relevant to no query, and no item is to a
    query whose label is missing; both are counted among all.

    Parameters
    ----------
    queries : array_like of uint8, shape (n_queries, ceil(bits / 8))
    codes : array_like of uint8, shape (n, ceil(bits / 8))
    bits : int
    query_labels, labels : array_like, shape (n_queries,) or (n_queries, classes), and of n likewise
        Integers or strings, or a table of 0 and 1 with a column a class; -1, None, NaN, or a row
        of them where a label is missing. See :mod:`hashret.evaluation.labels`.
    exclude : "self" or array_like of int, shape (n_queries,), optional
        Row number of the item that each query must not find, itself if it is in the database;
        -1 for none. "self": query i is row i.

    Returns
    -------
    histograms : DistanceHistograms

    Raises
    ------
    ShapeError, DTypeError, CodeError, ParameterError
        If codes do not fit `bits`, labels or `exclude` do not fit codes, or the forms of the
        labels differ.

    Examples
    --------
    >>> found = distance_histograms([[0]], [[0], [1], [3]], 8, [5], [5, 6, 5])
    >>> found.items[0, :3], found.relevant[0, :3]
    (array([1, 1, 1]), array([1, 0, 1]))
    >>> found = distance_histograms([[0]], [[0], [1], [3]], 8, [5], [5, 6, 5], exclude=[0])
    >>> found.items[0, :3], found.relevant[0, :3]
    (array([0, 1, 1]), array([0, 0, 1]))
    """
    queries = as_codes(queries, bits, "queries")
    codes = as_codes(codes, bits)
    wanted, present = match_labels(query_labels, labels, len(queries), len(codes))
    excluded = as_excluded(exclude, len(queries), len(codes))
    relevant = np.zeros((len(queries), bits + 1), np.int64)
    for rows, found in relevant_groups(wanted, present):
        relevant[rows] = distance_histogram(queries[rows], codes[found], bits)
    items = distance_histogram(queries, codes, bits)
    if excluded is not None:
        rows = np.flatnonzero(excluded >= 0)
        own = excluded[rows]
        cells = rows, _distances_of_pairs(queries[rows], codes[own], bits)
        items[cells] -= 1
        relevant[cells] -= share_a_label(wanted[rows], present[own])
    return DistanceHistograms(items, relevant)


def _distances_of_pairs(first: Codes, second: Codes, bits: int) -> npt.NDArray[np.uint16]:
    """Hamming distance of each row to the same row of the other, shape (n,)."""
    parts = (slice(start, start + _PAIRS) for start in range(0, len(first), _PAIRS))
    found = [hamming_distances(first[part], second[part], bits).diagonal() for part in parts]
    return np.concatenate([np.empty(0, np.uint16), *found])


def plain_array(values: Any, name: str, fill: Any = None) -> npt.NDArray[Any]:
    """Return an array of numpy's, a tensor off its graph and device, masked entries as `fill`.

    Raises
    ------
    ShapeError
        If its rows differ in length.
    DTypeError
        If it is nothing that numpy takes.
    """
    if isinstance(values, np.ma.MaskedArray) and fill is not None:
        values = values.filled(fill)
    try:
        return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    except ValueError as error:
        raise ShapeError(f"{name}: expected rows of one length: {error}") from error
    except (TypeError, RuntimeError) as error:
        raise DTypeError(f"{name}: expected an array: {error}") from error


def as_excluded(exclude: Exclude, n_queries: int, n: int) -> Counts | None:
    """Return the row of the database that each query must not find, -1 for none.

    Raises
    ------
    ShapeError, DTypeError, ParameterError
        If `exclude` is not "self" for as many queries as items, nor rows, one a query.

    Examples
    --------
    >>> as_excluded("self", 3, 3)
    array([0, 1, 2])
    """
    if exclude is None:
        return None
    if isinstance(exclude, str):
        if exclude != "self":
            raise ParameterError(f'exclude: expected "self", or rows, got {exclude!r}')
        if n_queries != n:
            raise ShapeError(
                f'exclude: expected as many queries as items for "self", got {n_queries} and {n}; '
                "the row of each query, -1 for none, says which it is"
            )
        return np.arange(n)
    rows = plain_array(exclude, "exclude", -1)
    if rows.shape != (n_queries,):
        raise ShapeError(f"exclude: expected ({n_queries},), a row a query, got {rows.shape}")
    if rows.dtype.kind not in "iu" and rows.size:
        raise DTypeError(f"exclude: expected integers, got {rows.dtype}")
    if rows.size and not -1 <= rows.min() <= rows.max() < n:
        raise ParameterError(
            f"exclude: expected rows 0 to {n - 1}, or -1, got {rows.min()} to {rows.max()}"
        )
    return rows.astype(np.int64)


def relevant_groups(
    query_labels: npt.NDArray[Any], labels: npt.NDArray[Any]
) -> Iterator[tuple[Counts, npt.NDArray[np.bool_]]]:
    """Yield the row numbers of queries with the same labels, and which items are relevant to them.

    Queries without labels are left out.

    Parameters
    ----------
    query_labels, labels : ndarray
        As :func:`hashret.evaluation.labels.match_labels` returns them.
    """
    labelled = np.flatnonzero(bears_label(query_labels))
    if not len(labelled):
        return
    distinct, group = np.unique(query_labels[labelled], axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    sizes = np.bincount(group.ravel(), minlength=len(distinct))
    for wanted, rows in zip(distinct, np.split(order, np.cumsum(sizes)[:-1]), strict=True):
        yield labelled[rows], share_a_label(labels, wanted)


def tied_histograms(distances: Reals, relevant: Bools) -> DistanceHistograms:
    """Count items, and relevant ones, at each distance of a table that a rule made.

    Parameters
    ----------
    distances : ndarray, shape (n_queries, n)
    relevant : ndarray of bool, shape (n_queries, n)

    Returns
    -------
    histograms : DistanceHistograms
        A column a distance, nearest first; those that a query has not are empty.

    Examples
    --------
    >>> found = tied_histograms(np.array([[0.3, 0.3, 2.0]]), np.array([[True, False, True]]))
    >>> found.items, found.relevant
    (array([[2, 1]]), array([[1, 1]]))
    """
    if distances.shape != relevant.shape or distances.ndim != 2:
        raise ShapeError(f"relevant: expected {distances.shape}, got {relevant.shape}")
    ranks = _ranks(distances)
    width = int(ranks.max(initial=-1)) + 1
    keys = ranks + np.arange(len(ranks))[:, None] * width
    size = len(ranks) * width
    counts = (np.bincount(part, minlength=size) for part in _flat(keys, relevant))
    items, hits = (count.reshape(-1, width).astype(np.int64) for count in counts)
    return DistanceHistograms(items, hits)


def _flat(keys: Counts, relevant: Bools) -> Iterator[Counts]:
    yield keys.ravel()
    yield keys[relevant]


def _ranks(distances: Reals) -> Counts:
    """Return the rank of each distance among the different ones, of its query or of all."""
    if not distances.size:
        return np.zeros(distances.shape, np.int64)
    if distances.min() >= 0 and distances.max() < 2**12:
        # Halves and whole numbers are ranks already, with gaps.
        doubled = (2 * distances).astype(np.int64)
        if (doubled == 2 * distances).all():
            return doubled
    order = np.argsort(distances, axis=1)
    ordered = np.take_along_axis(distances, order, axis=1)
    new = np.diff(ordered, axis=1, prepend=ordered[:, :1]) > 0
    ranks = np.empty(distances.shape, np.int64)
    np.put_along_axis(ranks, order, np.cumsum(new, axis=1), axis=1)
    return ranks
