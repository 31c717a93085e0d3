"""Sentences of rows: what they count, and that they say nothing where rows tell nothing."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from hashret.experiments.benchmark.findings import (
    against_control,
    against_neighbours,
    beside,
    best_seed,
    ceiling,
    knows_its_own,
)
from hashret.experiments.benchmark.tables import Group, group_rows, group_settings

KEYS = ("dataset", "protocol", "network", "budget", "device", "tables", "alpha")


def group(method, bits, *scores, **others):
    row = dict.fromkeys(KEYS) | {"method": method, "bits": bits, "features": "lite0"} | others
    return Group(tuple(row | {"seed": seed, "map": score} for seed, score in enumerate(scores)))


CONTROL = group("classifier", 10, 0.50, 0.60, 0.70)
ABOVE, BELOW = group("dsh", 16, 0.61, 0.70, 0.81), group("csq", 16, 0.40, 0.50, 0.60)
TIED = group("hashnet", 32, 0.60, 0.55, 0.69)


def test_cells_above_a_control_are_counted_and_named():
    (words,) = against_control([BELOW, ABOVE, CONTROL, TIED], "classifier", "map", "mAP")
    assert words == (
        "By mAP 1 of 3 cells lies above it: DSH at 16 bits (+0.107 ± 0.014). Not separated from "
        "it: HashNet at 32 bits. The other 1: below."
    )
    (words,) = against_control([BELOW, CONTROL], "classifier", "map", "mAP")
    assert words == "By mAP none of 1 cells lies above it: all below."


def test_nothing_is_said_of_too_few_seeds_or_without_a_control():
    assert against_control([ABOVE, BELOW], "classifier", "map", "mAP") == []
    alone = [group("classifier", 10, 0.5), group("dsh", 16, 0.6)]
    assert against_control(alone, "classifier", "map", "mAP") == []
    assert ceiling([CONTROL], [("map", "mAP")]) == []
    assert knows_its_own([CONTROL]) == []
    assert against_neighbours([ABOVE], "map", "mAP") == []


def test_methods_without_labels_are_no_cells_against_a_classifier():
    without = [group("itq", 16, 0.9, 0.9, 0.9), group("cibhash", 16, 0.9, 0.9, 0.9)]
    assert against_control([*without, CONTROL], "classifier", "map", "mAP") == []


def test_neighbours_stand_against_hashes_of_the_same_vectors_alone():
    exact, other = group("knn", None, 0.65), group("dsh", 16, 0.9, features="hog")
    (words,) = against_neighbours([exact, ABOVE, BELOW, CONTROL, other], "map", "mAP")
    assert words == (
        "By mean mAP Exact k-NN, Euclidean (0.650) lies above 1 of 2 cells of hashes of the same "
        "vectors, not DSH at 16 bits."
    )


def test_protocols_are_compared_by_the_seeds_that_both_have():
    (words,) = beside([ABOVE], [group("dsh", 16, 0.5, 0.6)], "other", "map", "mAP")
    assert words == (
        "mAP here, and under `other`, of the same seeds: DSH, 16 bits: 0.655 ± 0.572, "
        "0.550 ± 0.635."
    )
    assert beside([ABOVE], [BELOW], "other", "map", "mAP") == []


def test_what_a_classifier_knows():
    known = group("classifier", 10, 0.5, accuracy_database=0.996, accuracy_queries=0.787)
    assert knows_its_own([CONTROL, known]) == [
        "The classifier tells the class of 99.6% of the database's images and of 78.7% of the "
        "queries."
    ]
    assert best_seed([ABOVE, group("csq", 16, 0.9, 0.1)], "map", "mAP") == [
        "Seed 0 has the highest mAP in 1 of 2 rows of the table."
    ]


def test_superseded_rows_are_in_no_group_and_settings_can_stay_apart():
    old, new = (
        group("dsh", 16, score, settings={"images": n}) for n, score in ((1, 0.1), (2, 0.2))
    )
    rows = [*new.rows, old.rows[0] | {"superseded": "shorter now"}]
    assert [g["map"] for g in group_rows(rows)] == [0.2]
    assert [g["map"] for g in group_settings([*new.rows, *old.rows])] == [0.2, 0.1]
