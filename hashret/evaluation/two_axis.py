"""Two axes: whether results are of the right class, and whether they are alike within it.

The class axis is mean average precision by the labels that training saw. The other is average
precision *within* the class: the items of the query's class alone, relevant where they share a
finer label that no training saw. It lies between *chance*, a random order, and a *ceiling*, exact
neighbours by real vectors; the share of that distance is what codes are compared by.

Copies are one more reading of the second axis: the place of an image among the results for an
edited copy of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError, ShapeError
from ..types import Bools, Floats
from .histograms import Counts, DistanceHistograms
from .metrics import TiedScores, average_precision
from .rules import Reals, tied_histograms

__all__ = ["Levels", "Ranker", "TwoAxes", "found_at", "score_axes", "share"]

Labels = npt.NDArray[np.int64]
Ranker = Callable[[slice], Reals]
"""From rows of the queries to their distances from the whole database, (rows, n)."""

# Queries at once: 128 of 60,000 items are 60 MB of float64.
_BATCH = 128
_DEPTH = 10
# Ranks of real numbers have a column an item: fewer at once, for the same memory.
_NARROW = 4096


@dataclass(frozen=True)
class Levels:
    """Labels of two levels of queries and of a database; -1 where one is missing.

    Attributes
    ----------
    query_labels, labels : ndarray of int64, shape (n_queries,) and (n,)
        Classes.
    query_finer, finer : ndarray of int64, likewise, optional
        Finer labels, each of one class; None where there are none.
    """

    query_labels: Labels
    labels: Labels
    query_finer: Labels | None = None
    finer: Labels | None = None

    def __post_init__(self) -> None:
        pairs = ((self.query_finer, self.query_labels), (self.finer, self.labels))
        for own, of in pairs:
            if own is not None and own.shape != of.shape:
                raise ShapeError(f"finer: expected a label an image, {of.shape}, got {own.shape}")
        if (self.query_finer is None) != (self.finer is None):
            raise ParameterError("finer: expected finer labels of both queries and database")

    def within(self) -> Iterator[tuple[Counts, Counts]]:
        """Yield, by class, the queries and the items that are ranked within it.

        Of a class that has at least two finer labels in the database: elsewhere there is nothing
        to tell apart. A query counts if some of its class share its finer label.
        """
        if self.finer is None or self.query_finer is None:
            return
        for label in np.unique(self.query_labels[self.query_labels >= 0]):
            items = np.flatnonzero((self.labels == label) & (self.finer >= 0))
            present = np.unique(self.finer[items])
            asked = (self.query_labels == label) & np.isin(self.query_finer, present)
            if len(present) > 1 and asked.any():
                yield np.flatnonzero(asked), items


@dataclass(frozen=True)
class TwoAxes:
    """Scores on both axes, means over queries: (expected over the order of ties, low, high).

    Attributes
    ----------
    map_all, map10_hits, map10_mink : tuple of three floats
        By class.
    within : tuple of three floats or None
        Within the class; None without finer labels.
    chance : float or None
        What a random order has within the class.
    queries_within : int
        How many queries `within` is a mean of.
    """

    map_all: tuple[float, float, float]
    map10_hits: tuple[float, float, float]
    map10_mink: tuple[float, float, float]
    within: tuple[float, float, float] | None
    chance: float | None
    queries_within: int


def score_axes(rank: Ranker, levels: Levels) -> TwoAxes:
    """Score a ranking on both axes.

    Parameters
    ----------
    rank : callable
        Called with slices of the queries, some at a time.
    levels : Levels

    Returns
    -------
    scores : TwoAxes

    Examples
    --------
    Two of three items are of the query's class, and the nearer one shares its finer label:

    >>> levels = Levels(np.array([0]), np.array([0, 0, 1]), np.array([5]), np.array([5, 6, 7]))
    >>> scores = score_axes(lambda rows: np.array([[1.0, 2.0, 3.0]]), levels)
    >>> scores.map_all, scores.within, scores.chance
    ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), 0.75)
    """
    count = len(levels.query_labels)
    if not count:
        raise ParameterError("query_labels: no queries, no scores")
    groups = list(levels.within())
    whole: list[Floats] = []
    inner: list[Floats] = []
    for start in range(0, count, _BATCH):
        rows = slice(start, min(start + _BATCH, count))
        distances = rank(rows)
        wanted = levels.query_labels[rows, None]
        relevant = (wanted == levels.labels) & (wanted >= 0)
        whole.append(_class_scores(distances, relevant))
        inner += _scores_within(distances, start, groups, levels)
    scores = np.concatenate(whole, axis=2).mean(axis=2)
    found = np.concatenate(inner, axis=1) if inner else None
    whole_list, hits, mink = (_triple(part) for part in scores)
    return TwoAxes(
        map_all=whole_list,
        map10_hits=hits,
        map10_mink=mink,
        within=None if found is None else _triple(found[:3].mean(axis=1)),
        chance=None if found is None else float(found[3].mean()),
        queries_within=0 if found is None else found.shape[1],
    )


def _class_scores(distances: Reals, relevant: Bools) -> Floats:
    """Return AP of all, and at 10 by hits and by min(10, R): (3 measures, 3 bounds, queries)."""
    parts = []
    for rows in _pieces(distances):
        found = tied_histograms(distances[rows], relevant[rows])
        parts.append(
            np.stack(
                [
                    _stack(average_precision(found)),
                    _stack(average_precision(found, _DEPTH, "hits")),
                    _stack(average_precision(found, _DEPTH, "min")),
                ]
            )
        )
    return np.concatenate(parts, axis=2)


def _pieces(distances: Reals) -> Iterator[slice]:
    """Cut a table into pieces whose histograms are small: a column may be an item."""
    whole = len(np.unique(distances[0])) <= _NARROW
    step = len(distances) if whole else max(1, len(distances) // 8)
    return (slice(start, start + step) for start in range(0, len(distances), step))


def _scores_within(
    distances: Reals, start: int, groups: list[tuple[Counts, Counts]], levels: Levels
) -> list[Floats]:
    """Return AP within classes, its bounds and chance, of a batch of queries: (4, queries) each."""
    assert not groups or (levels.finer is not None and levels.query_finer is not None)
    parts = []
    for queries, items in groups:
        rows = queries[(queries >= start) & (queries < start + len(distances))]
        if not len(rows):
            continue
        relevant = levels.query_finer[rows, None] == levels.finer[items]  # type: ignore[index]
        found = tied_histograms(distances[rows - start][:, items], relevant)
        parts.append(np.concatenate([_stack(average_precision(found)), chance(relevant)[None]]))
    return parts


def chance(relevant: Bools) -> Floats:
    """Return the expected average precision of a random order, a row a query.

    Examples
    --------
    >>> chance(np.array([[True, False]]))
    array([0.75])
    """
    items = np.full((len(relevant), 1), relevant.shape[1], np.int64)
    hits = relevant.sum(axis=1, keepdims=True, dtype=np.int64)
    return average_precision(DistanceHistograms(items, hits)).expected


def share(within: float | None, chance: float | None, ceiling: float | None) -> float | None:
    """Return what part of the way from chance to the ceiling a score within classes is.

    None where one is missing, or the ceiling is no higher than chance. Below chance it is
    negative, and above 1 where codes are better than the real vectors.

    Examples
    --------
    >>> share(0.5, 0.25, 0.75)
    0.5
    """
    if within is None or chance is None or ceiling is None or ceiling <= chance:
        return None
    return (within - chance) / (ceiling - chance)


def found_at(rank: Ranker, own: Counts, depths: tuple[int, ...] = (1, 10, 100)) -> dict[int, float]:
    """Return how often an item is among the first results, expected over the order of ties.

    Parameters
    ----------
    rank : callable
    own : ndarray of int64, shape (n_queries,)
        The row of the item that each query is a copy of.
    depths : tuple of int

    Examples
    --------
    Item 0 ties with another at the top:

    >>> found_at(lambda rows: np.array([[1.0, 1.0, 2.0]]), np.array([0]), (1, 10))
    {1: 0.5, 10: 1.0}
    """
    if not len(own):
        raise ParameterError("own: no copies, no scores")
    parts = []
    for start in range(0, len(own), _BATCH):
        rows = slice(start, min(start + _BATCH, len(own)))
        distances = rank(rows)
        mine = distances[np.arange(len(distances)), own[rows]][:, None]
        before = (distances < mine).sum(axis=1)
        tied = (distances == mine).sum(axis=1)
        parts.append(np.stack([((k - before) / tied).clip(0, 1) for k in depths]))
    means = np.concatenate(parts, axis=1).mean(axis=1)
    return {depth: float(mean) for depth, mean in zip(depths, means, strict=True)}


def _stack(scores: TiedScores) -> Floats:
    return np.stack([scores.expected, scores.low, scores.high])


def _triple(values: Floats) -> tuple[float, float, float]:
    expected, low, high = map(float, values)
    return expected, low, high
