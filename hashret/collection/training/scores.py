"""How well held-out images find those of their label."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...evaluation import (
    DistanceHistograms,
    average_precision,
    distance_histograms,
    precision_at,
)
from ...evaluation.histograms import tied_histograms
from ...ranking import Rule
from ...types import Codes

__all__ = ["Score", "chance", "score_codes", "score_vectors"]

Labels = npt.NDArray[Any]
_AT_ONCE = 256
# Distances by a rule that are ranked at a time.
_PIECE = 1 << 22


class Score(NamedTuple):
    """Means over the queries.

    Attributes
    ----------
    map : float
        Mean average precision over the whole database; ties count by their expectation.
    precision : float
        Share of the first ten that have the query's label.
    """

    map: float
    precision: float


def score_codes(
    queries: npt.NDArray[Any],
    codes: Codes,
    bits: int,
    wanted: Labels,
    labels: Labels,
    *,
    exclude: npt.NDArray[np.int64] | None = None,
    rule: Rule | None = None,
) -> Score:
    """Score codes by their distances, of Hamming or by a ranking rule.

    `queries` are packed codes, or what the rule takes; `exclude` has the row that each of them
    must not find.
    """
    precision, average = [], []
    at_once = _AT_ONCE if rule is None else max(min(_PIECE // len(codes), _AT_ONCE), 1)
    for start in range(0, len(queries), at_once):
        rows = slice(start, start + at_once)
        own = None if exclude is None else exclude[rows]
        asked, of = queries[rows], wanted[rows]
        if rule is None:
            counted = distance_histograms(asked, codes, bits, of, labels, exclude=own)
        else:
            counted = _counted(rule.distances(asked, codes), of[:, None] == labels, own)
        average.append(np.asarray(average_precision(counted).expected))
        precision.append(np.asarray(precision_at(counted, 10).expected))
    return Score(float(np.concatenate(average).mean()), float(np.concatenate(precision).mean()))


def _counted(
    distances: npt.NDArray[np.float64],
    relevant: npt.NDArray[np.bool_],
    own: npt.NDArray[np.int64] | None,
) -> DistanceHistograms:
    if own is None:
        return tied_histograms(distances, relevant)
    others = np.arange(distances.shape[1]) != own[:, None]
    shape = len(distances), distances.shape[1] - 1
    return tied_histograms(distances[others].reshape(shape), relevant[others].reshape(shape))


def score_vectors(
    queries: npt.NDArray[np.float32],
    vectors: npt.NDArray[np.float32],
    wanted: Labels,
    labels: Labels,
) -> Score:
    """Score exact neighbours by angle, about the mean of the vectors."""
    mean = vectors.mean(axis=0)
    database, asked = _unit(vectors - mean), _unit(queries - mean)
    precision, average = [], []
    for start in range(0, len(asked), _AT_ONCE):
        order = np.argsort(-(asked[start : start + _AT_ONCE] @ database.T), axis=1, kind="stable")
        hits = labels[order] == wanted[start : start + _AT_ONCE, None]
        found = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
        total = hits.sum(axis=1)
        average.append((found * hits).sum(axis=1) / np.maximum(total, 1))
        precision.append(hits[:, :10].sum(axis=1) / 10)
    return Score(float(np.concatenate(average).mean()), float(np.concatenate(precision).mean()))


def chance(wanted: Labels, labels: Labels, *, own: bool = False) -> float:
    """Return the precision of random results; `own` if queries are among what is searched."""
    names, counts = np.unique(labels, return_counts=True)
    shares = (counts - own) / (len(labels) - own)
    share = dict(zip(names.tolist(), shares.tolist(), strict=True))
    return float(np.mean([share.get(one, 0.0) for one in wanted.tolist()]))


def _unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), np.float32)
