"""Which ranking rule to take: the one that orders held-out images best by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import as_array, check_number
from ..codes import pack
from ..errors import ParameterError, ShapeError
from ..ranking import Rule
from ..types import Floats
from .histograms import tied_histograms
from .metrics import average_precision

__all__ = ["best_rule", "lightest_rule", "map_under"]

# Enough for a standard error of about 0.005; and queries at once.
_QUERIES = 2000
_BATCH = 128


def map_under(rule: Rule, margins: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return the mean average precision of looking for each image among the others.

    Over all ranks, ties in random order; the first 2,000 images that have others of their class
    are the queries.

    Parameters
    ----------
    rule : Rule
    margins : array_like of float, shape (n, bits)
        What an encoder's `project` gives for images that nothing was fitted to.
    labels : array_like of int, shape (n,)
        -1 where one is missing: such images are left out.

    Raises
    ------
    ShapeError, DTypeError, CodeError
        If margins do not fit the rule, or labels the margins.
    ParameterError
        If no two images share a class.

    Examples
    --------
    >>> from hashret.ranking import Hamming
    >>> map_under(Hamming(2), [[1, 1], [1, -1], [-1, -1]], [0, 0, 1])
    0.875
    """
    given, numbers = as_array("margins", margins), as_array("labels", labels)
    if given.ndim != 2 or numbers.shape != (len(given),):
        raise ShapeError(f"labels: expected ({len(given)},), a label a row, got {numbers.shape}")
    given, numbers = given[numbers >= 0], numbers[numbers >= 0]
    _, classes, sizes = np.unique(numbers, return_inverse=True, return_counts=True)
    queries = np.flatnonzero(sizes[classes] > 1)[:_QUERIES] if len(classes) else classes
    if not len(queries):
        raise ParameterError("labels: no two images share a class, so that nothing is to be found")
    codes = pack(given)
    found = [
        _scores(rule, given, codes, classes, queries[start : start + _BATCH])
        for start in range(0, len(queries), _BATCH)
    ]
    return float(np.concatenate(found).mean())


def best_rule(rules: Sequence[Rule], margins: npt.ArrayLike, labels: npt.ArrayLike) -> Rule:
    """Return the rule of the highest :func:`map_under`, of several the first.

    Examples
    --------
    The first bit says what it is:

    >>> from hashret.ranking import Hamming, WeightedPrefix
    >>> margins = [[1, 1, 1], [1, -1, -1], [-1, 1, 1], [-1, -1, -1]]
    >>> best_rule([Hamming(3), WeightedPrefix(3, 1, weight=4)], margins, [0, 0, 1, 1])
    WeightedPrefix(3, prefix_bits=1, weight=4)
    """
    if not rules:
        raise ParameterError("rules: expected at least one, got none")
    return max(rules, key=lambda rule: map_under(rule, margins, labels))


def lightest_rule(
    rules: Sequence[Rule], margins: npt.ArrayLike, labels: npt.ArrayLike, within: float = 0.01
) -> Rule:
    """Return the first rule whose :func:`map_under` is nearly that of the best.

    Of rules by ascending weight of the classes it is the one that leaves most to likeness.

    Parameters
    ----------
    rules, margins, labels
        As of :func:`best_rule`.
    within : float
        How far below the best it may be.

    Examples
    --------
    >>> from hashret.ranking import WeightedPrefix
    >>> margins = [[1, 1, 1], [1, -1, -1], [-1, 1, 1], [-1, -1, -1]]
    >>> rules = [WeightedPrefix(3, 1, weight) for weight in (1, 4, 16)]
    >>> lightest_rule(rules, margins, [0, 0, 1, 1])
    WeightedPrefix(3, prefix_bits=1, weight=4)
    """
    if not rules:
        raise ParameterError("rules: expected at least one, got none")
    least = check_number("within", within, least=0)
    scores = [map_under(rule, margins, labels) for rule in rules]
    return next(r for r, s in zip(rules, scores, strict=True) if s >= max(scores) - least)


def _scores(
    rule: Rule,
    margins: npt.NDArray[Any],
    codes: npt.NDArray[np.uint8],
    classes: npt.NDArray[np.int64],
    queries: npt.NDArray[np.int64],
) -> Floats:
    """Return the average precision of some of the images among all others."""
    distances = rule.distances(rule.queries_of(margins[queries]), codes)
    others = np.arange(len(codes)) != queries[:, None]
    relevant = classes[queries, None] == classes
    shape = len(queries), len(codes) - 1
    histograms = tied_histograms(distances[others].reshape(shape), relevant[others].reshape(shape))
    return average_precision(histograms).expected
