"""From codes and labels to counts by Hamming distance, which every measure is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..codes import as_codes, distance_histogram
from ..errors import DTypeError, ParameterError, ShapeError

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DistanceHistograms:
    """How many items, and how many relevant ones, lie at each distance from each query.

    Attributes
    ----------
    items : ndarray of int64, shape (n_queries, bits + 1)
        Database items at Hamming distance 0 to bits.
    relevant : ndarray of int64, shape (n_queries, bits + 1)
        Those of them that are relevant.
    """

    items: Counts
    relevant: Counts

    def __post_init__(self) -> None:
        if self.items.ndim != 2 or self.items.shape != self.relevant.shape:
            raise ShapeError(
                "items, relevant: expected the same shape (n_queries, bits + 1), "
                f"got {self.items.shape} and {self.relevant.shape}"
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
) -> DistanceHistograms:
    """Count the database items by distance from each query, all and relevant ones.

    An item is relevant if its label equals the query's, or, where images have several labels, if
    they share one.

    Parameters
    ----------
    queries : array_like of uint8, shape (n_queries, ceil(bits / 8))
    codes : array_like of uint8, shape (n, ceil(bits / 8))
    bits : int
    query_labels : array_like of int, shape (n_queries,) or (n_queries, classes)
    labels : array_like of int, shape (n,) or (n, classes)
        Tables of 0 and 1 have a column a class.

    Returns
    -------
    histograms : DistanceHistograms

    Raises
    ------
    ShapeError, DTypeError, CodeError
        If codes do not fit `bits` or labels do not fit codes.

    Examples
    --------
    >>> found = distance_histograms([[0]], [[0], [1], [3]], 8, [5], [5, 6, 5])
    >>> found.items[0, :3], found.relevant[0, :3]
    (array([1, 1, 1]), array([1, 0, 1]))
    """
    queries = as_codes(queries, bits, "queries")
    codes = as_codes(codes, bits)
    wanted = as_labels(query_labels, len(queries), "query_labels", tables=True)
    present = as_labels(labels, len(codes), "labels", tables=True)
    relevant = np.zeros((len(queries), bits + 1), np.int64)
    for rows, items in relevant_groups(wanted, present):
        relevant[rows] = distance_histogram(queries[rows], codes[items], bits)
    return DistanceHistograms(distance_histogram(queries, codes, bits), relevant)


def relevant_groups(
    query_labels: Counts, labels: Counts
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]]:
    """Yield the row numbers of queries with the same labels, and which items are relevant to them.

    Parameters
    ----------
    query_labels, labels : ndarray of int64
        As :func:`as_labels` returns them, both of the same form.
    """
    if query_labels.shape[1:] != labels.shape[1:]:
        raise ShapeError(
            f"query_labels: expected {labels.shape[1:]} after the first axis like labels, "
            f"got {query_labels.shape[1:]}"
        )
    if not len(query_labels):
        return
    distinct, group = np.unique(query_labels, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    sizes = np.bincount(group.ravel(), minlength=len(distinct))
    for wanted, rows in zip(distinct, np.split(order, np.cumsum(sizes)[:-1]), strict=True):
        yield rows, share_a_label(labels, wanted)


def share_a_label(first: Counts, second: Counts) -> npt.NDArray[np.bool_]:
    """Compare labels, or rows of tables of them, which broadcast: equal, or 1 in a column of both.

    Examples
    --------
    >>> share_a_label(np.array([3, 5]), np.array(5))
    array([False,  True])
    >>> share_a_label(np.array([[1, 0, 1], [1, 0, 0]]), np.array([0, 1, 1]))
    array([ True, False])
    """
    if first.ndim < 2:
        return np.asarray(first == second)
    return np.asarray((first & second).any(axis=-1))


def as_labels(labels: npt.ArrayLike, count: int, name: str, tables: bool = False) -> Counts:
    """Check that `labels` are `count` integers, or rows of 0 and 1, and return them as int64.

    Parameters
    ----------
    tables : bool
        Whether rows, a column a class, are welcome.
    """
    array = np.asarray(labels)
    if array.shape[:1] != (count,) or array.ndim > 1 + tables:
        words = f"({count},)" + (f" or ({count}, classes)" if tables else "")
        raise ShapeError(f"{name}: expected {words}, one a code, got shape {array.shape}")
    if array.dtype.kind not in "iu" + "b" * tables and array.size:
        raise DTypeError(f"{name}: expected integers, got {array.dtype}")
    if array.ndim == 2 and array.size and not 0 <= array.min() <= array.max() <= 1:
        raise ParameterError(f"{name}: expected 0 and 1, got {array.min()} to {array.max()}")
    return array.astype(np.int64)
