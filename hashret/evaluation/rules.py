"""Ranking rules: how far codes are from a query, by more than their Hamming distance.

A rule takes coded queries and a coded database and gives a table of distances. All rules are
open to all encoders: one that makes no prefix is ranked as if the whole code were the prefix.
Equal codes are equally far under every rule, whatever the rule, so that measures that count ties
can be taken: see :func:`tied_histograms`.

These are plain and slow, to judge rankings by; an index has its own, fast ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..codes import check_bits, pack
from ..errors import ParameterError, ShapeError
from ..types import Bools, Codes
from .histograms import Counts, DistanceHistograms

__all__ = [
    "RULES",
    "ClassAware",
    "Coded",
    "FloatQuery",
    "Hamming",
    "Rule",
    "WeightedPrefix",
    "class_centres",
    "tied_histograms",
]

Reals = npt.NDArray[np.floating[Any]]

# Digits of a distance that tell codes apart: products of rows differ in their last ones.
_DIGITS = 4


@dataclass(frozen=True)
class Coded:
    """Codes of images, and the margins whose signs they are.

    Attributes
    ----------
    codes : ndarray of uint8, shape (n, ceil(bits / 8))
    margins : ndarray of float32, shape (n, bits)
    """

    codes: Codes
    margins: npt.NDArray[np.float32]

    @classmethod
    def of(cls, margins: npt.ArrayLike) -> Coded:
        """Return margins with their codes."""
        table = np.asarray(margins, np.float32)
        if table.ndim != 2:
            raise ShapeError(f"margins: expected (n, bits), got {table.shape}")
        return cls(pack(table), table)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Coded:
        return Coded(self.codes[rows], self.margins[rows])

    @property
    def bits(self) -> int:
        """Length of a code."""
        return int(self.margins.shape[1])

    def signs(self) -> npt.NDArray[np.float32]:
        """Return -1 and +1 for the bits."""
        return np.where(self.margins > 0, np.float32(1), np.float32(-1))


class Rule(Protocol):
    """What a rule is."""

    def distances(self, queries: Coded, database: Coded) -> Reals:
        """Return how far each item is from each query, shape (n_queries, n); smaller is nearer."""


@dataclass(frozen=True)
class Hamming:
    """The number of bits that differ.

    Examples
    --------
    >>> Hamming().distances(Coded.of([[1, -1, 1]]), Coded.of([[1, 1, -1], [1, -1, 1]]))
    array([[2., 0.]], dtype=float32)
    """

    def distances(self, queries: Coded, database: Coded) -> Reals:
        """See :meth:`Rule.distances`."""
        return _weighted(queries, database, np.ones(database.bits))


@dataclass(frozen=True)
class WeightedPrefix:
    """A bit of the prefix that differs counts `weight`, any other 1.

    Examples
    --------
    >>> rule = WeightedPrefix(1, 4)
    >>> rule.distances(Coded.of([[1, -1, 1]]), Coded.of([[1, 1, -1], [-1, -1, 1]]))
    array([[2., 4.]], dtype=float32)
    """

    prefix: int
    weight: float = 4.0

    def distances(self, queries: Coded, database: Coded) -> Reals:
        """See :meth:`Rule.distances`."""
        return _weighted(queries, database, _weights(database.bits, self.prefix, self.weight))


@dataclass(frozen=True)
class ClassAware:
    """The weighted prefix, of which half counts where both prefixes are nearest to one centre.

    Attributes
    ----------
    prefix : int
    centres : ndarray of bool, shape (classes, prefix)
        Of the prefixes of the training images, by :func:`class_centres`.
    weight : float

    Examples
    --------
    The query and the first item are both nearest to the centre of ones:

    >>> rule = ClassAware(4, np.array([[1, 1, 1, 1], [0, 0, 0, 0]], bool), weight=2)
    >>> rule.distances(Coded.of([[1, 1, 1, -1]]), Coded.of([[1, 1, 1, 1], [1, -1, -1, -1]]))
    array([[1., 4.]], dtype=float32)
    """

    prefix: int
    centres: Bools
    weight: float = 4.0

    def distances(self, queries: Coded, database: Coded) -> Reals:
        """See :meth:`Rule.distances`."""
        whole = _weighted(queries, database, _weights(database.bits, self.prefix, self.weight))
        only = np.zeros(database.bits)
        only[: self.prefix] = self.weight / 2
        same = self._nearest(queries)[:, None] == self._nearest(database)
        whole -= _weighted(queries, database, only) * same
        return whole

    def _nearest(self, coded: Coded) -> npt.NDArray[np.intp]:
        """Return the centre that each prefix is nearest to, the first of equal ones."""
        signs = np.where(self.centres, np.float32(1), np.float32(-1))
        return np.asarray((coded.signs()[:, : self.prefix] @ signs.T).argmax(axis=1))


@dataclass(frozen=True)
class FloatQuery:
    """A bit that differs counts as much as the query's margin is sure of it.

    Attributes
    ----------
    scale : ndarray, shape (bits,)
        Mean absolute margin of each bit over the training images, to which margins are compared.
    prefix : int
    weight : float
        Of the prefix's bits; 1 where a code has no other.

    Examples
    --------
    >>> rule = FloatQuery(np.ones(2), 2, 1)
    >>> rule.distances(Coded.of([[0.5, -2.0]]), Coded.of([[-1, -1], [1, 1]])).tolist()
    [[0.5, 2.0]]
    """

    scale: npt.NDArray[Any]
    prefix: int
    weight: float = 4.0

    def distances(self, queries: Coded, database: Coded) -> Reals:
        """See :meth:`Rule.distances`."""
        weights = _weights(database.bits, self.prefix, self.weight)
        # As if in units of a sure bit, so that _DIGITS are as fine for any encoder.
        scaled = weights / np.maximum(self.scale, 1e-12)
        sure = (np.abs(queries.margins) * scaled).astype(np.float32)
        signs = queries.signs()
        found = sure.sum(axis=1, keepdims=True) - (sure * signs) @ database.signs().T
        return np.asarray(np.round(found / 2, _DIGITS), np.float32)


RULES = ("hamming", "weighted", "class-aware", "float-query")


def _weights(bits: int, prefix: int, weight: float) -> npt.NDArray[np.float64]:
    if not 1 <= prefix <= bits:
        raise ParameterError(f"prefix: expected 1 to {bits} bits, got {prefix}")
    weights = np.ones(bits)
    weights[:prefix] = weight
    return weights


def _weighted(queries: Coded, database: Coded, weights: npt.NDArray[np.float64]) -> Reals:
    """Return the sum of the weights of the bits that differ: exact where these are whole."""
    if queries.bits != database.bits:
        raise ShapeError(f"queries: expected codes of {database.bits} bits, got {queries.bits}")
    products = (queries.signs() * weights.astype(np.float32)) @ database.signs().T
    if (weights == np.rint(weights)).all():
        # Sums of whole numbers, which float32 holds exactly.
        return np.asarray((np.float32(weights.sum()) - products) / 2)
    return np.asarray(np.round((weights.sum() - products) / 2, _DIGITS))


def class_centres(coded: Coded, labels: npt.NDArray[np.int64], prefix: int) -> Bools:
    """Return the majority of each bit of the prefixes of a class, bool (classes, prefix).

    Parameters
    ----------
    coded : Coded
        Of training images.
    labels : ndarray of int64, shape (n,)
        -1 where one is missing: such images have no part in it.
    prefix : int
        Bits of a code.

    Examples
    --------
    >>> class_centres(Coded.of([[1, -1], [1, 1], [-1, 1]]), np.array([0, 0, 1]), 2)
    array([[ True, False],
           [False,  True]])
    """
    check_bits(prefix)
    signs = coded.signs()[:, :prefix]
    classes = np.unique(labels[labels >= 0])
    if not len(classes):
        raise ParameterError("labels: expected some that are not missing")
    return np.stack([signs[labels == label].mean(axis=0) > 0 for label in classes])


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
