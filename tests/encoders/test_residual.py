"""The residual's ITQ: what it takes out, its dial, and labels it cannot learn from."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from hashret.encoders import ITQ, ResidualITQ, load_encoder
from hashret.encoders.residual import class_numbers
from hashret.errors import DTypeError, ParameterError, ShapeError


@pytest.fixture
def table():
    """Vectors of four classes far apart, with smaller differences within them."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 4
    return rng.normal(size=(200, 12)) + 20 * rng.normal(size=(4, 12))[labels], labels


def class_directions(table, labels):
    centred = table - table.mean(axis=0)
    means = np.stack([centred[labels == label].mean(axis=0) for label in np.unique(labels)])
    return np.linalg.svd(means)[2][:3]


def test_nothing_of_the_class_means_is_left_at_gamma_0(table):
    directions = class_directions(*table)
    damped = ResidualITQ(6, gamma=0, random_state=0).fit(*table).projection_
    assert np.abs(directions @ damped).max() < 1e-9
    # The margins of the means are equal, so that no bit tells a class.
    X, y = table
    margins = (X - X.mean(axis=0)) @ damped
    means = np.stack([margins[y == label].mean(axis=0) for label in range(4)])
    assert np.abs(means).max() < 1e-9


@pytest.mark.parametrize("gamma", [0.25, 0.5])
def test_margins_are_those_of_itq_of_what_is_left(table, gamma):
    X, y = table
    centred = X - X.mean(axis=0)
    directions = class_directions(X, y)
    left = centred - (1 - gamma) * centred @ directions.T @ directions
    residual = ResidualITQ(6, gamma=gamma, random_state=0).fit(X, y)
    # ITQ's local optimum hangs on last digits: what is compared is what makes it ITQ's.
    axes = np.linalg.solve(
        np.eye(12) - (1 - gamma) * directions.T @ directions, residual.projection_
    )
    assert axes.T @ axes == pytest.approx(np.eye(6), abs=1e-9)
    assert residual.project(X) == pytest.approx(left @ axes, abs=1e-4)
    kept, most = np.square(left @ axes).sum(), np.linalg.svd(left)[1][:6]
    assert kept == pytest.approx(np.square(most).sum())
    plain = ITQ(6, random_state=0).fit(left)
    lost, least = (np.abs(np.abs(part) - 1).mean() for part in (left @ axes, plain.project(left)))
    assert lost == pytest.approx(least, rel=0.05)


def test_gamma_1_is_itq_and_needs_no_labels(table, tmp_path):
    X, _ = table
    residual, plain = ResidualITQ(6, gamma=1, random_state=0).fit(X), ITQ(6, random_state=0).fit(X)
    np.testing.assert_array_equal(residual.transform(X), plain.transform(X))
    residual.save(tmp_path / "residual")
    assert load_encoder(tmp_path / "residual").gamma == 1


def test_missing_labels_and_classes_of_one_image_have_no_part_in_the_span(table):
    X, y = table
    few = np.append(y, [-1, 7, 8]).astype(np.int64)
    more = np.vstack([X, 1e3 * np.eye(12)[:3]])
    fitted = ResidualITQ(4, gamma=0, random_state=0).fit(more, few)
    centred = more - more.mean(axis=0)
    means = np.stack([centred[few == label].mean(axis=0) for label in range(4)])
    assert np.abs(means @ fitted.projection_).max() < 1e-6
    words = [None if label == -1 else f"class {label}" for label in few]
    for same in (
        words,
        np.array(words, object),
        [np.nan if word is None else word for word in words],
        np.where(few == -1, np.nan, few),
        [None if label == -1 else label for label in few.tolist()],
        np.ma.masked_equal(few, -1),
    ):
        again = ResidualITQ(4, gamma=0, random_state=0).fit(more, same)
        np.testing.assert_array_equal(again.transform(more), fitted.transform(more))


def test_words_for_missing_labels_are_no_class(table):
    _, y = table
    few = [np.nan if label == 0 else "abc"[label - 1] for label in y]
    assert set(class_numbers(few, len(y))[y == 0]) == {-1}
    assert set(class_numbers(few, len(y))[y > 0]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("parameters", "labels", "error", "words"),
    [
        ({"gamma": -0.1}, None, ParameterError, "gamma: expected a number >= 0, got -0.1"),
        ({"gamma": 1.5}, None, ParameterError, "gamma: expected 0 to 1, got 1.5"),
        ({"gamma": float("nan")}, None, ParameterError, "gamma: expected a finite number"),
        ({"gamma": "1"}, None, DTypeError, "gamma: expected a number, got str"),
        ({}, None, ParameterError, "y: expected labels"),
        ({}, np.arange(199), ShapeError, r"y: expected \(200,\), a label a row, got \(199,\)"),
        ({}, np.eye(200, dtype=int), ShapeError, r"y: expected \(200,\), a label a row"),
        ({}, np.arange(200) / 2, DTypeError, "y: .* whole numbers .* got 0.5 in row 1"),
        ({}, np.arange(200), ParameterError, "y: expected two classes of two images or more"),
        ({}, np.zeros(200, int), ParameterError, "y: expected two classes .* got 1"),
        ({"gamma": 0, "bits": 10}, np.arange(200) % 4, ParameterError, "rank 9, .* got 10"),
    ],
)
def test_what_cannot_be_fitted_is_refused_by_name(table, parameters, labels, error, words):
    with pytest.raises(error, match=words):
        ResidualITQ(**{"bits": 4, "random_state": 0} | parameters).fit(table[0], labels)
