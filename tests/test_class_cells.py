"""Cells of class probabilities, as a prefix and in an encoder of two parts."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from hashret import Searcher
from hashret.codes import unpack
from hashret.deep import DeepHasher
from hashret.errors import EncoderMismatchError, FormatError, ParameterError, ShapeError
from hashret.evaluation.choosing import map_under
from hashret.prism import ClassCells, Prism
from hashret.prism.encoder import CELL_WEIGHTS
from hashret.ranking import SameClass


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4
    return (rng.normal(size=(400, 24)) + 0.8 * rng.normal(size=(4, 24))[labels]).astype(
        "f4"
    ), labels


def classifier(**given):
    settings = {"epochs": 4, "batch_size": 50, "device": "cpu", "random_state": 0}
    return DeepHasher("linear", "classifier", 2, **settings | given)


@pytest.fixture(scope="module")
def cells(table):
    return ClassCells(classifier(), bits=5, random_state=0).fit(*table)


@pytest.fixture(scope="module")
def encoder(table):
    X, y = table
    whole = Prism(ClassCells(classifier(), 5, random_state=0), 20, 0.25, random_state=0)
    return whole.fit(X[:300], y[:300])


def test_the_code_is_the_number_of_the_nearest_cell(table, cells):
    X, _ = table
    p = cells.probabilities(X)
    assert p.sum(axis=1) == pytest.approx(1)
    away = np.square(1024 * np.sqrt(p)[:, None] - cells.centroids_).sum(axis=2)
    # Coordinates are rounded: only where two cells are as near does another one count as nearest.
    numbers = cells.cells(X)
    assert np.all(away[np.arange(400), numbers] <= away.min(axis=1) + 1024 * 4)
    assert np.mean(numbers == away.argmin(axis=1)) > 0.98
    written = unpack(cells.transform(X), 5) @ (1 << np.arange(5)[::-1])
    np.testing.assert_array_equal(written, numbers)
    assert set(np.unique(cells.project(X))) == {-1, 1}


def test_posteriors_are_the_means_of_the_images_in_a_cell(table, cells):
    p, numbers = cells.probabilities(table[0]), cells.cells(table[0])
    for cell in np.unique(numbers):
        assert cells.posteriors_[cell] == pytest.approx(p[numbers == cell].mean(axis=0))
    assert cells.posteriors_.sum(axis=1) == pytest.approx(1)


def test_a_code_does_not_depend_on_what_else_is_encoded(table, cells):
    whole = cells.cells(table[0])
    for rows in (slice(7, 8), slice(3, 90)):
        np.testing.assert_array_equal(cells.cells(table[0][rows], batch_size=13), whole[rows])


def test_there_are_no_more_cells_than_different_images(table):
    X, y = np.repeat(table[0][:6], 10, axis=0), np.repeat([0, 1, 0, 1, 0, 1], 10)
    few = ClassCells(classifier(), bits=8, random_state=0).fit(X, y)
    assert len(few.centroids_) == len(few.posteriors_) <= 6
    assert few.code_bits == 8
    assert len(few.rule(20, 4).centres) == len(few.centroids_)


def test_it_ranks_by_the_probability_of_one_class(table, encoder):
    X, _ = table
    rule = encoder.ranking
    assert isinstance(rule, SameClass)
    assert (rule.bits, rule.prefix_bits, rule.weight) == (20, 5, 32)
    found = rule.distances(encoder.transform(X[:5]), encoder.transform(X))
    p = encoder.prefix_.posteriors_[encoder.prefix_.cells(X)]
    all_cells = encoder.prefix_.posteriors_
    rest = unpack(encoder.transform(X), 20)[:, 5:]
    for q in range(5):
        best = np.log(all_cells @ p[q]).max()
        differ = (rest != rest[q]).sum(axis=1)
        wanted = np.rint(32 * (best - np.log(p @ p[q]))) + differ
        # Probabilities are taken in units, a logarithm of little ones is coarse.
        likely = p @ p[q] > 0.01
        assert np.abs(found[q] - wanted)[likely].max() <= 1


def test_held_out_images_choose_the_least_weight_that_is_nearly_best(table):
    X, y = table
    whole = Prism(ClassCells(classifier(), 5, random_state=0), 20, 0.25, random_state=0)
    whole.fit(X[:300], y[:300], held_out=(X[300:], y[300:]))
    rules = [whole.prefix_.rule(20, weight) for weight in CELL_WEIGHTS]
    scores = [map_under(rule, whole.project(X[300:]), y[300:]) for rule in rules]
    first = next(i for i, score in enumerate(scores) if score >= max(scores) - 0.01)
    assert whole.ranking == rules[first]


def test_a_file_gives_the_same_codes_and_a_damaged_one_is_refused(table, encoder, tmp_path):
    path = tmp_path / "encoder"
    encoder.save(path)
    again = Prism.load(path, device="cpu")
    assert (again.fingerprint, again.ranking) == (encoder.fingerprint, encoder.ranking)
    np.testing.assert_array_equal(again.project(table[0]), encoder.project(table[0]))
    alone = tmp_path / "cells"
    encoder.prefix_.save(alone)
    cells = ClassCells.load(alone, device="cpu")
    np.testing.assert_array_equal(cells.cells(table[0]), encoder.prefix_.cells(table[0]))
    whole = alone.read_bytes()
    start = whole.index(encoder.prefix_.centroids_.tobytes())
    changed = bytearray(whole)
    changed[start + 6] ^= 1
    for broken in (whole[:200], whole[:-9], bytes(changed)):
        alone.write_bytes(broken)
        with pytest.raises(FormatError):
            ClassCells.load(alone, device="cpu")
    with pytest.raises(FormatError, match="not a file of a hashret encoder of class cells"):
        ClassCells.load(path)


def test_an_index_of_another_rule_is_refused_and_answers_are_in_the_order_of_the_rule(
    table, encoder, tmp_path
):
    X, _ = table
    searcher = Searcher(encoder)
    searcher.add(X)
    distances, ids = searcher.search(X[300:], k=40)
    judged = encoder.ranking.distances(encoder.transform(X[300:]), encoder.transform(X))
    wanted = np.argsort(judged, axis=1, kind="stable")[:, :40]
    np.testing.assert_array_equal(ids, wanted)
    np.testing.assert_array_equal(distances, np.take_along_axis(judged, wanted, axis=1))
    searcher.index.save(tmp_path / "index")
    encoder.save(tmp_path / "encoder")
    other = Prism.load(tmp_path / "encoder", device="cpu")
    other.ranking = encoder.prefix_.rule(20, 8)
    with pytest.raises(EncoderMismatchError, match="under another ranking rule"):
        Searcher.load(tmp_path / "index", other)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ClassCells(classifier(), bits=12), "bits: expected 1 to 11 for cells, got 12"),
        (lambda: ClassCells(classifier(), bits=0), "bits: "),
        (
            lambda: ClassCells(DeepHasher("linear", "hashnet", 8, device="cpu")),
            "classifier: expected one of the loss \"classifier\", got 'hashnet'",
        ),
        (lambda: Prism(ClassCells(classifier(), 8), 8), "bits: expected more than the prefix's 8"),
        (lambda: ClassCells(classifier(), 4).fit([[0.0, 1.0]] * 8, [0] * 8), "classes"),
    ],
)
def test_unfit_parameters_are_refused(table, make, words):
    with pytest.raises(ParameterError, match=words):
        make().fit(*table)


def test_what_cannot_be_fitted_leaves_what_was_fitted(table, cells):
    before = cells.codes_fingerprint
    with pytest.raises(ShapeError):
        cells.fit(table[0], table[1][:7])
    assert cells.codes_fingerprint == before
    with pytest.raises(ParameterError, match="not fitted yet"):
        ClassCells(classifier()).transform(table[0])


def test_parameters_that_are_set_later_change_nothing_until_it_is_fitted(table, tmp_path):
    X, y = table
    encoder = ClassCells(classifier(), bits=np.int64(3), random_state=np.int64(7)).fit(X, y)
    before = encoder.codes_fingerprint, encoder.transform(X)
    encoder.bits, encoder.random_state, encoder.classifier.bits = 10, 5, 9
    encoder.save(tmp_path / "cells")
    again = ClassCells.load(tmp_path / "cells", device="cpu")
    assert (again.bits, again.random_state) == (3, 7)
    for each in (encoder, again):
        assert (each.code_bits, each.codes_fingerprint) == (3, before[0])
        assert each.rule(16, 4).prefix_bits == 3
        np.testing.assert_array_equal(each.transform(X), before[1])
    assert encoder.fit(X, y).code_bits == 10
