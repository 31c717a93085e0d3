"""Retrieval quality under named protocols: tie-aware measures, splits, plots."""

from __future__ import annotations

from .choosing import best_rule, map_under
from .collisions import collision_entropy, distinct_codes, expected_bucket_length
from .histograms import DistanceHistograms, distance_histograms
from .metrics import (
    Denominator,
    TiedScores,
    average_precision,
    distances_within_and_between,
    precision_at,
    precision_recall_by_radius,
    precision_within,
    recall_at,
)
from .protocols import PROTOCOLS, Measure, Protocol, protocol
from .ranked import (
    ranked_average_precision,
    ranked_precision,
    ranked_recall,
    relevance,
    relevant_totals,
)
from .splits import Split

__all__ = [
    "PROTOCOLS",
    "Denominator",
    "DistanceHistograms",
    "Measure",
    "Protocol",
    "Split",
    "TiedScores",
    "average_precision",
    "best_rule",
    "collision_entropy",
    "distance_histograms",
    "distances_within_and_between",
    "distinct_codes",
    "expected_bucket_length",
    "map_under",
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
