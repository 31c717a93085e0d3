"""Ranking rules and scores on two axes, against loops and orders of ties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashret.errors import ParameterError, ShapeError
from hashret.evaluation import average_precision, distance_histograms
from hashret.evaluation.rules import (
    ClassAware,
    Coded,
    FloatQuery,
    Hamming,
    WeightedPrefix,
    class_centres,
    tied_histograms,
)
from hashret.evaluation.two_axis import Levels, chance, found_at, score_axes, share


def coded(count, bits, seed=0):
    return Coded.of(np.random.default_rng(seed).normal(size=(count, bits)))


def by_loops(queries, database, cost):
    """Sum a cost over the bits that differ."""
    table = np.zeros((len(queries), len(database)))
    for q, d, j in itertools.product(
        range(len(queries)), range(len(database)), range(queries.bits)
    ):
        if (queries.margins[q, j] > 0) != (database.margins[d, j] > 0):
            table[q, d] += cost(q, d, j)
    return table


def test_rules_are_what_their_words_say():
    queries, database = coded(5, 11, 1), coded(9, 11, 2)
    rng = np.random.default_rng(3)
    centres, scale = rng.random((3, 6)) > 0.5, rng.uniform(0.5, 2, 11)
    ones = by_loops(queries, database, lambda *_: 1)
    np.testing.assert_array_equal(Hamming().distances(queries, database), ones)
    weighted = by_loops(queries, database, lambda q, d, j: 4 if j < 6 else 1)
    np.testing.assert_array_equal(WeightedPrefix(6, 4).distances(queries, database), weighted)
    of = [
        [int(((part.margins[i, :6] > 0) != centres).sum(axis=1).argmin()) for i in range(len(part))]
        for part in (queries, database)
    ]
    halved = by_loops(
        queries, database, lambda q, d, j: (2 if of[0][q] == of[1][d] else 4) if j < 6 else 1
    )
    np.testing.assert_array_equal(ClassAware(6, centres, 4).distances(queries, database), halved)
    sure = by_loops(
        queries,
        database,
        lambda q, d, j: abs(queries.margins[q, j]) / scale[j] * (4 if j < 6 else 1),
    )
    found = FloatQuery(scale, 6, 4).distances(queries, database)
    assert found == pytest.approx(sure, abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 70), st.integers(0, 2**31))
def test_equal_codes_are_equally_far_under_every_rule(bits, seed):
    rng = np.random.default_rng(seed)
    database = Coded.of(rng.normal(size=(40, bits)))
    doubled = Coded.of(np.vstack([database.margins, 3 * database.margins]))
    queries = Coded.of(rng.normal(size=(7, bits)))
    prefix = int(rng.integers(1, bits + 1))
    centres = class_centres(database, rng.integers(0, 3, 40), prefix)
    for rule in (
        Hamming(),
        WeightedPrefix(prefix, 3.3),
        ClassAware(prefix, centres),
        FloatQuery(np.abs(database.margins).mean(axis=0), prefix),
    ):
        found = rule.distances(queries, doubled)
        np.testing.assert_array_equal(found[:, :40], found[:, 40:])


def test_histograms_of_a_rule_are_those_of_the_hamming_distance():
    queries, database = coded(6, 8, 4), coded(50, 8, 5)
    labels, asked = np.arange(50) % 3, np.arange(6) % 3
    relevant = asked[:, None] == labels
    found = tied_histograms(Hamming().distances(queries, database), relevant)
    whole = distance_histograms(queries.codes, database.codes, 8, asked, labels)
    for k in (None, 10):
        ours, theirs = average_precision(found, k), average_precision(whole, k)
        np.testing.assert_allclose(ours.expected, theirs.expected)
        np.testing.assert_allclose(ours.low, theirs.low)
    # Whatever the numbers are: real ones are ranked a query at a time.
    real = tied_histograms(np.log1p(Hamming().distances(queries, database)), relevant)
    np.testing.assert_allclose(average_precision(real).expected, average_precision(whole).expected)


def test_within_the_class_only_the_class_is_ranked():
    labels = np.array([0, 0, 0, 0, 1, 1, 2])
    finer = np.array([5, 5, 6, -1, 7, 7, 8])
    levels = Levels(np.array([0, 0, 1, 2]), labels, np.array([5, 6, 7, -1]), finer)
    # Class 1 has one finer label, and the query of class 2 none: nothing to tell apart.
    distances = np.array([[3.0, 1, 2, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0], *np.ones((2, 7))])
    scores = score_axes(lambda rows: distances[rows], levels)
    first = (1 + 2 / 3) / 2  # 5, 6, 5
    second = (1 + 1 / 2 + 1 / 3) / 3  # one of three, tied
    assert scores.queries_within == 2
    assert scores.within[0] == pytest.approx((first + second) / 2)
    assert scores.within[1:] == pytest.approx(((first + 1 / 3) / 2, (first + 1) / 2))
    orders = [(1 + 2 / 2) / 2, (1 + 2 / 3) / 2, (1 / 2 + 2 / 3) / 2]
    assert scores.chance == pytest.approx((np.mean(orders) + second) / 2)
    none = score_axes(lambda rows: distances[rows], Levels(levels.query_labels, labels))
    assert (none.within, none.chance, none.queries_within) == (None, None, 0)
    assert none.map_all == scores.map_all


def test_chance_is_what_random_orders_have():
    relevant = np.zeros((1, 6), bool)
    relevant[0, :2] = True
    hits = [sorted(places) for places in itertools.permutations(range(1, 7), 2)]
    expected = np.mean([(1 / a + 2 / b) / 2 for a, b in hits])
    assert chance(relevant) == pytest.approx([expected])


def test_a_share_is_of_the_way_from_chance_to_the_ceiling():
    assert share(0.2, 0.2, 0.6) == 0
    assert share(0.1, 0.2, 0.6) == pytest.approx(-0.25)
    assert share(None, 0.2, 0.6) is share(0.3, 0.2, 0.2) is share(0.3, 0.2, None) is None


def test_copies_are_found_as_often_as_random_orders_of_ties_put_them_there():
    distances = np.array([[0.0, 1, 1, 1, 2], [2, 0, 0, 0, 1]])
    found = found_at(lambda rows: distances[rows], np.array([2, 0]), (1, 2, 4, 10))
    assert found == pytest.approx({1: 0, 2: (1 / 3) / 2, 4: 0.5, 10: 1})


def test_unfit_tables_are_refused():
    with pytest.raises(ShapeError, match="finer: expected a label an image"):
        Levels(np.zeros(2, int), np.zeros(3, int), np.zeros(2, int), np.zeros(2, int))
    with pytest.raises(ParameterError, match="of both queries and database"):
        Levels(np.zeros(2, int), np.zeros(3, int), np.zeros(2, int))
    with pytest.raises(ParameterError, match="no queries"):
        score_axes(lambda rows: np.empty((0, 3)), Levels(np.zeros(0, int), np.zeros(3, int)))
    with pytest.raises(ParameterError, match="no copies"):
        found_at(lambda rows: np.empty((0, 3)), np.zeros(0, int))
    with pytest.raises(ParameterError, match="prefix: expected 1 to 8 bits, got 9"):
        WeightedPrefix(9).distances(coded(1, 8), coded(2, 8))
    with pytest.raises(ShapeError, match="expected codes of 8 bits, got 9"):
        Hamming().distances(coded(1, 9), coded(2, 8))
    with pytest.raises(ParameterError, match="not missing"):
        class_centres(coded(3, 8), np.full(3, -1), 8)
