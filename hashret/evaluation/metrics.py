"""Retrieval quality of codes, honest about ties.

Few distances and many items make ties decide a ranking's score. The measures
here take the expectation over a random order within each distance
(McSherry and Najork, ECIR 2008; He, Cakir, Bargal and Sclaroff, CVPR 2018,
arXiv 1705.08562), and give the worst and best order's score beside it. Those of
:mod:`~hashret.evaluation.ranked` take the order as an index returned it.

Denominators of AP at depth k, with R relevant items in the database:

``"relevant"``
    R. The definition of AP where k is the whole database.
``"min"``
    min(k, R), the most hits a list of k can have.
``"hits"``
    The hits among the k. Most public code; [+, -, -] scores 1 and [+, -, +] 0.83.

A query without relevant items scores 0; so does one whose label is missing, for nothing is
relevant to it. Leave such queries out to score the others alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from ..checks import check_int
from ..errors import ParameterError
from ..types import Floats
from .histograms import Counts, DistanceHistograms

Denominator: TypeAlias = Literal["relevant", "min", "hits"]

# Histogram cells in work at once: a dozen float64 arrays of this size, 100 MB.
_CELLS = 2**20


@dataclass(frozen=True)
class TiedScores:
    """Scores of each query: expected over random order of ties, and their bounds.

    Attributes
    ----------
    expected, low, high : ndarray of float64, shape (n_queries,)
        Mean, smallest and largest score over the orders of items at equal distance.
    """

    expected: Floats
    low: Floats
    high: Floats

    def means(self) -> tuple[float, float, float]:
        """Return the means over queries of (expected, low, high)."""
        if not len(self.expected):
            raise ParameterError("scores: no queries, no mean")
        return float(self.expected.mean()), float(self.low.mean()), float(self.high.mean())


def average_precision(
    histograms: DistanceHistograms, k: int | None = None, denominator: Denominator = "relevant"
) -> TiedScores:
    """Average precision of each query, tie-aware.

    With `n` items at a distance, `p` of them relevant, and `N0` and `P0` at smaller distances, the
    expected contribution of the distance is

    .. math:: \\frac{p}{n} \\sum_{j=1}^{n} \\frac{P_0 + 1 + (j-1)(p-1)/(n-1)}{N_0 + j}

    summed here in closed form with harmonic numbers. Where depth k cuts through a distance, the
    number of relevant items above the cut is hypergeometric and the expectation runs over it, so
    that ``"hits"`` is exact too, not a mean over sampled orders.

    Parameters
    ----------
    histograms : DistanceHistograms
        From :func:`hashret.evaluation.distance_histograms`.
    k : int, optional
        Depth; None for the whole database.
    denominator : {"relevant", "min", "hits"}
        See the module's description.

    Returns
    -------
    scores : TiedScores

    Raises
    ------
    ParameterError
        If k < 1 or the denominator is unknown.

    Examples
    --------
    Two items tie at distance 0, one of them relevant:

    >>> tied = DistanceHistograms(np.array([[2, 0]]), np.array([[1, 0]]))
    >>> average_precision(tied).means()
    (0.75, 0.5, 1.0)
    """
    check_denominator(denominator)
    size = int(histograms.items.sum(axis=1).max(initial=0))
    depth = size if k is None else min(check_int("k", k, 1), size)
    harmonic = _cumulative(np.reciprocal, size)
    step = max(1, _CELLS // max(1, histograms.items.shape[1]))
    parts = [
        _average_precision(histograms[start : start + step], depth, denominator, harmonic)
        for start in range(0, len(histograms), step)
    ]
    stacked = np.concatenate([np.empty((3, 0)), *parts], axis=1)
    return TiedScores(expected=stacked[0], low=stacked[1], high=stacked[2])


def _average_precision(
    histograms: DistanceHistograms, depth: int, denominator: Denominator, harmonic: Floats
) -> Floats:
    n, p = histograms.items, histograms.relevant
    n0, p0 = np.cumsum(n, axis=1) - n, np.cumsum(p, axis=1) - p
    total = p.sum(axis=1)
    whole = n0 + n <= depth
    sums = np.where(whole, _group_sums(n0, p0, n, p, harmonic), 0.0).sum(axis=2)
    hits = np.where(whole, p, 0).sum(axis=1)
    # The distance that depth cuts through; where it cuts through none, the slots left are 0.
    rows = np.arange(len(n))
    cut = np.argmax(~whole, axis=1)
    n0, p0, n, p = n0[rows, cut], p0[rows, cut], n[rows, cut], p[rows, cut]
    slots = np.where(whole.all(axis=1), 0, depth - n0)
    expected, low, high = np.zeros(len(n)), np.full(len(n), np.inf), np.full(len(n), -np.inf)
    log_factorial = _cumulative(np.log, int(n.max(initial=0)))
    least, most = np.maximum(0, slots - (n - p)), np.minimum(slots, p)
    for more in range(int(most.max(initial=0)) + 1):
        possible = (least <= more) & (more <= most)
        # Impossible counts are computed with a harmless value and masked.
        x = np.where(possible, more, least)
        found = denominator_of(denominator, hits + x, total, depth)
        scores = (sums + _group_sums(n0, p0, slots, x, harmonic)) / found
        expected += np.where(
            possible, _hypergeometric(n, p, slots, x, log_factorial) * scores[0], 0.0
        )
        low = np.where(possible, np.minimum(low, scores[1]), low)
        high = np.where(possible, np.maximum(high, scores[2]), high)
    return np.stack([expected, low, high])


def _group_sums(n0: Counts, p0: Counts, n: Counts, p: Counts, harmonic: Floats) -> Floats:
    """Sum of precisions at the p relevant of n tied items: expected, last in order, first."""
    slope: Floats = (p - 1) / np.maximum(n - 1, 1)
    inner = slope * n + (p0 + 1 - slope * (n0 + 1)) * (harmonic[n0 + n] - harmonic[n0])
    expected = p / np.maximum(n, 1) * inner
    misses = n - p
    last = p + (p0 - n0 - misses) * (harmonic[n0 + n] - harmonic[n0 + misses])
    first = p + (p0 - n0) * (harmonic[n0 + p] - harmonic[n0])
    return np.stack([expected, last, first])


def _hypergeometric(
    n: Counts, p: Counts, slots: Counts, x: Counts, log_factorial: Floats
) -> Floats:
    """Probability that `slots` of n items, p of them relevant, hold x relevant ones."""

    def log_choose(of: Counts, take: Counts) -> Floats:
        chosen: Floats = log_factorial[of] - log_factorial[take] - log_factorial[of - take]
        return chosen

    return np.exp(log_choose(p, x) + log_choose(n - p, slots - x) - log_choose(n, slots))


def _cumulative(function: Callable[[Floats], Floats], size: int) -> Floats:
    """Sums of function(1) to function(i) for i = 0 to size."""
    return np.concatenate([[0.0], np.cumsum(function(np.arange(1.0, size + 1.0)))])


def denominator_of(name: Denominator, hits: Counts, total: Counts, depth: int) -> Counts:
    """What the sum of precisions is divided by, at least 1."""
    choices: dict[str, Counts] = {
        "hits": hits,
        "min": np.minimum(total, depth),
        "relevant": total,
    }
    return np.maximum(choices[name], 1)


def precision_at(histograms: DistanceHistograms, k: int) -> TiedScores:
    """Share of relevant items among the first k of each query, tie-aware.

    If the database has fewer than k items, the missing ones count as not relevant.
    """
    hits = _hits_at(histograms, check_int("k", k, 1))
    return TiedScores(*(hits / k))


def recall_at(histograms: DistanceHistograms, k: int) -> TiedScores:
    """Share of each query's relevant items that are among the first k, tie-aware."""
    hits = _hits_at(histograms, check_int("k", k, 1))
    return TiedScores(*(hits / np.maximum(histograms.relevant.sum(axis=1), 1)))


def _hits_at(histograms: DistanceHistograms, k: int) -> Floats:
    n, p = histograms.items, histograms.relevant
    slots = np.clip(k - (np.cumsum(n, axis=1) - n), 0, n)
    expected = slots * p / np.maximum(n, 1)
    bounds = [expected, np.maximum(0, slots - (n - p)), np.minimum(slots, p)]
    return np.stack([bound.sum(axis=1) for bound in bounds]).astype(np.float64)


def precision_within(histograms: DistanceHistograms, radius: int = 2) -> Floats:
    """Share of relevant items within a Hamming radius, shape (n_queries,).

    A query with nothing within the radius scores 0, so that codes which spread too far are not
    rewarded for the queries they leave without an answer.
    """
    radius = check_int("radius", radius, 0)
    found = histograms.items[:, : radius + 1].sum(axis=1)
    hits = histograms.relevant[:, : radius + 1].sum(axis=1)
    precision: Floats = hits / np.maximum(found, 1)
    return precision


def precision_recall_by_radius(histograms: DistanceHistograms) -> tuple[Floats, Floats]:
    """Precision and recall at every Hamming radius, means over queries.

    Returns
    -------
    precision, recall : ndarray of float64, shape (bits + 1,)
        Entry r is for all items at distance <= r; an empty ball has precision 0.
    """
    if not len(histograms):
        raise ParameterError("histograms: no queries, no curve")
    found, hits = np.cumsum(histograms.items, axis=1), np.cumsum(histograms.relevant, axis=1)
    precision = (hits / np.maximum(found, 1)).mean(axis=0)
    recall = (hits / np.maximum(hits[:, -1:], 1)).mean(axis=0)
    return precision, recall


def distances_within_and_between(histograms: DistanceHistograms) -> tuple[Floats, Floats]:
    """Share of each Hamming distance among relevant pairs and among the others.

    Returns
    -------
    within, between : ndarray of float64, shape (bits + 1,)
        Over all pairs of a query and an item. Each sums to 1, or to 0 if there is no such pair.

    Examples
    --------
    >>> pairs = DistanceHistograms(np.array([[3, 1]]), np.array([[2, 0]]))
    >>> distances_within_and_between(pairs)
    (array([1., 0.]), array([0.5, 0.5]))
    """
    within = histograms.relevant.sum(axis=0)
    between = histograms.items.sum(axis=0) - within
    return within / max(1, within.sum()), between / max(1, between.sum())


def check_denominator(denominator: str) -> None:
    """Raise unless it is one that the module's description names."""
    if denominator not in get_args(Denominator):
        raise ParameterError(
            f"denominator: expected one of {get_args(Denominator)}, got {denominator!r}"
        )
