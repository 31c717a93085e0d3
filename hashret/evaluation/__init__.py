"""Retrieval quality under named protocols: tie-aware measures, splits, plots."""

from __future__ import annotations

from .histograms import DistanceHistograms, distance_histograms
from .metrics import (
    Denominator,
    TiedScores,
    average_precision,
    collision_entropy,
    distances_within_and_between,
    distinct_codes,
    expected_bucket_length,
    precision_at,
    precision_recall_by_radius,
    precision_within,
    ranked_average_precision,
    ranked_precision,
    ranked_recall,
    recall_at,
    relevance,
    relevant_totals,
)
from .protocols import PROTOCOLS, Measure, Protocol, Split, protocol

__all__ = [
    "PROTOCOLS",
    "Denominator",
    "DistanceHistograms",
    "Measure",
    "Protocol",
    "Split",
    "TiedScores",
    "average_precision",
    "collision_entropy",
    "distance_histograms",
    "distances_within_and_between",
    "distinct_codes",
    "expected_bucket_length",
    "precision_at",
    "precision_recall_by_radius",
    "precision_within",
    "protocol",
    "ranked_average_precision",
    "ranked_precision",
    "ranked_recall",
    "recall_at",
    "relevance",
    "relevant_totals",
]
