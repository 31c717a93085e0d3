"""From codes and labels to counts by Hamming distance, which every measure is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..codes import as_codes, distance_histogram
from ..errors import DTypeError, ShapeError

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

    An item is relevant if its label equals the query's.

    Parameters
    ----------
    queries : array_like of uint8, shape (n_queries, ceil(bits / 8))
    codes : array_like of uint8, shape (n, ceil(bits / 8))
    bits : int
    query_labels : array_like of int, shape (n_queries,)
    labels : array_like of int, shape (n,)

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
    query_labels = as_labels(query_labels, len(queries), "query_labels")
    labels = as_labels(labels, len(codes), "labels")
    relevant = np.zeros((len(queries), bits + 1), np.int64)
    for label in np.unique(query_labels):
        rows = query_labels == label
        relevant[rows] = distance_histogram(queries[rows], codes[labels == label], bits)
    return DistanceHistograms(distance_histogram(queries, codes, bits), relevant)


def as_labels(labels: npt.ArrayLike, count: int, name: str) -> npt.NDArray[np.int64]:
    """Check that `labels` are `count` integers and return them as int64."""
    array = np.asarray(labels)
    if array.shape != (count,):
        raise ShapeError(f"{name}: expected ({count},), one a code, got shape {array.shape}")
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(f"{name}: expected integers, got {array.dtype}")
    return array.astype(np.int64)
