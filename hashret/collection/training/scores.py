"""How well held-out images find those of their label."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...evaluation import average_precision, distance_histograms, precision_at
from ...types import Codes

__all__ = ["Score", "chance", "score_codes", "score_vectors"]

Labels = npt.NDArray[Any]
_AT_ONCE = 256


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
    queries: Codes, codes: Codes, bits: int, wanted: Labels, labels: Labels, *, exclude: Any = None
) -> Score:
    """Score codes by their distances; `exclude` has the row that each query must not find."""
    precision, average = [], []
    for start in range(0, len(queries), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        own = None if exclude is None else exclude[rows]
        counted = distance_histograms(queries[rows], codes, bits, wanted[rows], labels, exclude=own)
        average.append(np.asarray(average_precision(counted).expected))
        precision.append(np.asarray(precision_at(counted, 10).expected))
    return Score(float(np.concatenate(average).mean()), float(np.concatenate(precision).mean()))


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
