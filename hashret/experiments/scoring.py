"""How well an index, or exact neighbours, answer queries, and how fast."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..evaluation.collisions import distinct_codes, expected_bucket_length
from ..evaluation.histograms import (
    Counts,
    DistanceHistograms,
    Exclude,
    as_excluded,
    distance_histograms,
)
from ..evaluation.labels import match_labels, share_a_label
from ..evaluation.metrics import (
    average_precision,
    distances_within_and_between,
    precision_at,
    precision_recall_by_radius,
    precision_within,
    recall_at,
)
from ..evaluation.ranked import (
    ranked_average_precision,
    ranked_precision,
    relevance,
    relevant_totals,
)
from ..index import Index
from ..types import Codes, Floats

__all__ = [
    "DEPTH",
    "Labels",
    "Scores",
    "candidates_of",
    "curves",
    "exact_scores",
    "figures",
    "found_histograms",
    "score_histograms",
    "score_index",
    "time_queries",
]

Labels = npt.NDArray[Any]

DEPTH = 10
# Candidates of so many queries at once: some 100 MB for a database of 60,000.
_BATCH = 128
CURVES = ("precision", "recall", "within", "between")
# Queries asked how they were answered: their mean is all that is shown.
_EXPLAINED = 500


@dataclass(frozen=True)
class Scores:
    """How well queries were answered.

    Attributes
    ----------
    map10_hits, map_all : tuple of three floats
        Expected over random order of ties, and the bounds: (expected, low, high).
    map10_mink, map1000_hits : float
        Expected, with denominator min(10, R); and of the first thousand.
    precision, recall : float
        Share of relevant items among the first ten answers; share of the R relevant items among
        the first R answers.
    candidates : float
        Codes that the index compares with a query, mean; of 500 queries at most where it is
        exact.
    map10_padded : float
        With lists shorter than ten filled up with relevant items, as the study of LSH did.
    precision_radius2 : float or None
        Share of relevant items within Hamming distance 2; an empty ball counts 0. None here and
        below: there are no codes.
    bucket_length : float or None
        Items that share the code of a random item of the database.
    distinct_codes : int or None
    curves : dict of ndarray of float64, shape (bits + 1,)
        By Hamming distance: ``precision`` and ``recall`` of the ball; ``within`` and ``between``,
        the share of a distance among the pairs of a query and an item of its class, and of
        another class. Empty where there are no codes.
    """

    map10_hits: tuple[float, float, float]
    map10_mink: float
    map1000_hits: float
    map_all: tuple[float, float, float]
    precision: float
    recall: float
    candidates: float
    map10_padded: float
    precision_radius2: float | None = None
    bucket_length: float | None = None
    distinct_codes: int | None = None
    curves: dict[str, Floats] = field(
        default_factory=lambda: dict.fromkeys(CURVES, np.empty(0, np.float64))
    )


def figures(scores: Scores) -> dict[str, Any]:
    """Return scores as a row has them; see :func:`~.benchmark.measure.measure`."""
    row: dict[str, Any] = {}
    for name, value in vars(scores).items():
        if isinstance(value, tuple):
            row |= zip((name, f"{name}_low", f"{name}_high"), value, strict=True)
        elif name not in ("curves", "map10_padded"):
            row[name] = value
    return row


def curves(scores: Scores) -> dict[str, list[float]]:
    """Return what pictures are made of, by Hamming distance."""
    # Five digits are finer than a pixel of any picture.
    return {
        name: [float(f"{value:.5g}") for value in curve] for name, curve in scores.curves.items()
    }


def score_index(
    index: Index,
    queries: Codes,
    codes: Codes,
    query_labels: Labels,
    labels: Labels,
    probes: int = 1,
    *,
    exclude: Exclude = None,
) -> Scores:
    """Score the answers of an index whose ids are the rows of `codes`.

    mAP@10 and recall are of what the index answers: for ``kind="lsh"`` of the candidates in the
    `probes` buckets of each table that it looks into. mAP@all and the curve rank the whole
    database by Hamming distance. What `exclude` names, as in
    :func:`hashret.evaluation.distance_histograms`, is no answer.
    """
    excluded = as_excluded(exclude, len(queries), len(codes))
    whole = distance_histograms(queries, codes, index.bits, query_labels, labels, exclude=excluded)
    found = whole
    if index.kind == "lsh":
        found = found_histograms(index, queries, query_labels, labels, probes, exclude=excluded)
    totals = relevant_totals(query_labels, labels, exclude=excluded)
    _, ids = index.search(queries, DEPTH + (excluded is not None), probes=probes)
    answered = relevance(ids, query_labels, labels, missing=True, exclude=excluded)
    padded = ranked_average_precision(answered[:, :DEPTH])
    by_radius = *precision_recall_by_radius(whole), *distances_within_and_between(whole)
    return score_histograms(
        found,
        whole,
        totals,
        candidates=candidates_of(index, queries, found),
        map10_padded=float(padded.mean()),
        precision_radius2=float(precision_within(whole, 2).mean()),
        bucket_length=expected_bucket_length(codes),
        distinct_codes=distinct_codes(codes),
        curves=dict(zip(CURVES, by_radius, strict=True)),
    )


def score_histograms(
    found: DistanceHistograms, whole: DistanceHistograms, totals: Counts, **others: Any
) -> Scores:
    """Score answers counted by distance, or by whatever else ranks them.

    Parameters
    ----------
    found, whole : DistanceHistograms
        What is answered, and the whole database.
    totals : ndarray of int64, shape (n_queries,)
        Items that are relevant to each query.
    others
        Of :class:`Scores`, what counts do not tell.
    """
    return Scores(
        map10_hits=average_precision(found, DEPTH, "hits").means(),
        map10_mink=_mean_with_denominator(found, np.minimum(totals, DEPTH)),
        map1000_hits=average_precision(found, 1000, "hits").means()[0],
        map_all=average_precision(whole).means(),
        precision=precision_at(found, DEPTH).means()[0],
        recall=_recall(found, totals),
        **others,
    )


def found_histograms(
    index: Index,
    queries: Codes,
    query_labels: Labels,
    labels: Labels,
    probes: int = 1,
    *,
    exclude: Exclude = None,
) -> DistanceHistograms:
    """Count an index's answers of each query by distance: all, and the relevant ones.

    What the index does not reach is not counted, nor what `exclude` names.
    """
    wanted, present = match_labels(query_labels, labels, len(queries))
    excluded = as_excluded(exclude, len(queries), len(present))
    width = index.bits + 1
    items, relevant = np.zeros((2, len(queries), width), np.int64)
    for start in range(0, len(queries), _BATCH):
        batch = slice(start, start + _BATCH)
        lims, distances, ids = index.range_search(queries[batch], index.bits, probes=probes)
        rows = np.repeat(np.arange(len(lims) - 1), np.diff(lims))
        if excluded is not None:
            kept = ids != excluded[batch][rows]
            rows, distances, ids = rows[kept], distances[kept], ids[kept]
        right = share_a_label(present[ids], wanted[batch][rows])
        keys, size = rows * width + distances, (len(lims) - 1) * width
        items[batch] = np.bincount(keys, minlength=size).reshape(-1, width)
        relevant[batch] = np.bincount(keys[right], minlength=size).reshape(-1, width)
    return DistanceHistograms(items, relevant)


def candidates_of(index: Index, queries: Codes, found: DistanceHistograms | None = None) -> float:
    """Mean number of codes that the index compares with a query to answer it.

    For ``kind="lsh"`` these are what it `found`.
    """
    if found is not None and index.kind == "lsh":
        return float(found.items.sum(axis=1).mean())
    compared = [index.explain(query[None], DEPTH).candidates for query in queries[:_EXPLAINED]]
    return float(np.mean(compared))


def _mean_with_denominator(found: DistanceHistograms, denominator: Counts) -> float:
    """Mean AP@10 with a denominator that counts what was not found as well."""
    scores = average_precision(found, DEPTH, "relevant").expected
    sums = scores * np.maximum(found.relevant.sum(axis=1), 1)
    return float((sums / np.maximum(denominator, 1)).mean())


def _recall(found: DistanceHistograms, totals: Counts) -> float:
    scores = np.zeros(len(found))
    for total in np.unique(totals[totals > 0]):
        rows = np.flatnonzero(totals == total)
        part = DistanceHistograms(found.items[rows], found.relevant[rows])
        hits = recall_at(part, int(total)).expected * part.relevant.sum(axis=1)
        scores[rows] = hits / total
    return float(scores.mean())


def time_queries(index: Index, queries: Codes, probes: int = 1, limit: int = 1000) -> Floats:
    """Return the microseconds that each query took, asked alone on one thread.

    The queries are codes already: the time to encode an image is not in it.
    """

    def ask(query: Codes) -> None:
        index.search(query[None], DEPTH, threads=1, probes=probes)

    for query in queries[:10]:  # the first search builds what later ones need
        ask(query)
    return _microseconds(ask, queries[:limit])


def _microseconds(ask: Callable[[Any], None], queries: npt.NDArray[Any]) -> Floats:
    times = []
    for query in queries:
        start = time.perf_counter_ns()
        ask(query)
        times.append((time.perf_counter_ns() - start) / 1000)
    return np.array(times)


def exact_scores(
    features: npt.NDArray[Any],
    query_features: npt.NDArray[Any],
    labels: Labels,
    query_labels: Labels,
    advance: Any = None,
    *,
    inner: bool = False,
) -> tuple[Scores, float]:
    """Score exact k-NN by Euclidean distance between features, the standard of their codes.

    Or, if `inner`, by inner product. Returns the scores and the median microseconds of a query
    asked alone. Ties between real numbers do not matter here, so the bounds equal the score.
    """
    kind = np.float64 if features.dtype == np.float64 and inner else np.float32
    features = np.ascontiguousarray(features, kind)
    norms = np.zeros(len(features), kind) if inner else np.square(features).sum(axis=1)
    totals = relevant_totals(query_labels, labels)
    parts: list[Floats] = []
    for start in range(0, len(query_features), _BATCH):
        batch = slice(start, start + _BATCH)
        distances = norms - 2 * query_features[batch].astype(kind) @ features.T
        order = np.argsort(distances, axis=1)
        found = relevance(order, query_labels[batch], labels)
        parts.append(_ranked(found, totals[batch]))
        if advance:
            advance(min(start + _BATCH, len(query_features)), len(query_features))
    hits, mink, whole, recall, thousand, precision = map(
        float, np.concatenate(parts, axis=1).mean(axis=1)
    )
    scores = Scores(
        map10_hits=(hits,) * 3,
        map10_mink=mink,
        map1000_hits=thousand,
        map_all=(whole,) * 3,
        precision=precision,
        recall=recall,
        candidates=float(len(features)),
        map10_padded=hits,
    )
    return scores, _time_exact(features, norms, query_features)


def _ranked(found: npt.NDArray[np.bool_], totals: Counts) -> Floats:
    first = found[:, :DEPTH]
    hits = np.cumsum(found, axis=1)[np.arange(len(found)), np.maximum(totals, 1) - 1]
    return np.stack(
        [
            ranked_average_precision(first, "hits"),
            ranked_average_precision(first, "min", totals),
            ranked_average_precision(found, "relevant", totals),
            hits / np.maximum(totals, 1),
            ranked_average_precision(found[:, :1000], "hits"),
            ranked_precision(first),
        ]
    )


def _time_exact(
    features: npt.NDArray[Any], norms: npt.NDArray[Any], queries: npt.NDArray[Any]
) -> float:
    def ask(query: Floats) -> None:
        distances = norms - 2 * features @ query
        nearest = np.argpartition(distances, DEPTH)[:DEPTH]
        nearest[np.argsort(distances[nearest])]

    return float(np.median(_microseconds(ask, queries[:100].astype(features.dtype))))
