"""The rule that orders held-out images best, against orders of every query alone."""

from __future__ import annotations

import numpy as np
import pytest

from hashret.codes import pack
from hashret.errors import DTypeError, ParameterError, ShapeError
from hashret.evaluation.choosing import best_rule, map_under
from hashret.ranking import FloatQuery, Hamming, WeightedPrefix


def test_the_score_is_that_of_each_image_among_the_others(monkeypatch):
    monkeypatch.setattr("hashret.evaluation.choosing._BATCH", 7)
    rng = np.random.default_rng(0)
    margins, labels = rng.normal(size=(60, 24)), rng.integers(-1, 5, 60)
    labels[0] = 9  # alone in its class: found by nobody, but among what is ranked
    rule = FloatQuery(Hamming(24))  # no ties, but of equal codes
    known = np.flatnonzero(labels >= 0)
    scores = []
    for row in known[1:]:
        others = known[known != row]
        order = others[np.argsort(rule.distances(margins[[row]], pack(margins[others]))[0])]
        hits = np.flatnonzero(labels[order] == labels[row]) + 1
        scores.append(np.mean(np.arange(1, len(hits) + 1) / hits))
    assert map_under(rule, margins, labels) == pytest.approx(np.mean(scores))


def test_the_first_of_the_best_is_taken():
    rng = np.random.default_rng(1)
    labels = np.arange(80) % 4
    margins = rng.normal(size=(80, 16))
    margins[:, :4] += 3 * np.array([[1, 1, -1, -1], [1, -1, 1, -1], [-1] * 4, [1] * 4])[labels]
    rules = [Hamming(16), WeightedPrefix(16, 4, 16), WeightedPrefix(16, 4, 17)]
    assert best_rule(rules, margins, labels) == rules[1]
    same = [WeightedPrefix(16, 4, 1), Hamming(16)]
    assert best_rule(same, margins, labels) is same[0]


@pytest.mark.parametrize(
    ("error", "words", "margins", "labels"),
    [
        (ParameterError, "no two images share a class", np.ones((3, 8)), [0, 1, 2]),
        (ParameterError, "no two images share a class", np.ones((3, 8)), [-1, -1, 0]),
        (ParameterError, "no two images share a class", np.ones((0, 8)), np.zeros(0, int)),
        (ShapeError, "labels", np.ones((3, 8)), [0, 1]),
        (ShapeError, "codes", np.ones((3, 9)), [0, 0, 1]),
        (DTypeError, "margins", None, [0]),
    ],
)
def test_what_cannot_judge_is_refused(error, words, margins, labels):
    with pytest.raises(error, match=words):
        map_under(Hamming(8), margins, labels)


def test_no_rules_are_refused():
    with pytest.raises(ParameterError, match="rules: expected at least one"):
        best_rule([], np.ones((2, 8)), [0, 0])
