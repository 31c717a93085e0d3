"""Prism: a learned prefix and the closed form of the rest, in one encoder and one file."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from hashret import Searcher
from hashret.codes import unpack
from hashret.deep import DeepHasher
from hashret.encoders import ResidualITQ
from hashret.errors import CodeError, FormatError, ParameterError, ShapeError
from hashret.prism import Prism


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    labels = np.arange(240) % 3
    return (rng.normal(size=(240, 24)) + 3 * rng.normal(size=(3, 24))[labels]).astype("f4"), labels


def prefix(bits=8, **given):
    settings = {"epochs": 3, "batch_size": 60, "device": "cpu", "random_state": 0}
    return DeepHasher("linear", "hashnet", bits, **settings | given)


@pytest.fixture(scope="module")
def fitted(table):
    return Prism(prefix(), bits=20, gamma=0.25, random_state=0).fit(*table)


def test_the_code_is_the_prefix_and_the_residual_of_its_features(table, fitted):
    X, y = table
    alone = prefix().fit(X, y)
    residual = ResidualITQ(12, gamma=0.25, random_state=0).fit(alone.features(X), y)
    bits = unpack(fitted.transform(X), 20)
    np.testing.assert_array_equal(bits[:, :8], unpack(alone.transform(X), 8))
    np.testing.assert_array_equal(bits[:, 8:], unpack(residual.transform(alone.features(X)), 12))
    assert (fitted.prefix_bits, fitted.code_bits) == (8, 20)


def test_features_are_what_the_hash_layer_is_given(table):
    X, y = table
    found = prefix().fit(X, y).features(X)
    assert found == pytest.approx((X - X.mean(axis=0)) / X.std(axis=0), abs=1e-3)
    deep = DeepHasher("mlp", bits=4, epochs=1, device="cpu", random_state=0).fit(X, y)
    assert deep.features(X[:5]).shape == (5, 1024)
    np.testing.assert_array_equal(deep.features(X)[7], deep.features(X[7:8])[0])


def test_a_file_gives_the_same_codes_and_a_damaged_one_is_refused(table, fitted, tmp_path):
    path = tmp_path / "encoder"
    fitted.save(path)
    again = Prism.load(path, device="cpu")
    assert again.fingerprint == fitted.fingerprint
    np.testing.assert_array_equal(again.project(table[0]), fitted.project(table[0]))
    whole = path.read_bytes()
    changed = whole.replace(fitted.fingerprint.encode(), b"0" * 64)
    assert changed != whole
    for broken in (whole[:100], whole[:-7], changed):
        path.write_bytes(broken)
        with pytest.raises(FormatError):
            Prism.load(path, device="cpu")
    prefix().fit(*table).save(path)
    with pytest.raises(FormatError, match="not a file of a hashret prism"):
        Prism.load(path)
    with pytest.raises(FileNotFoundError):
        Prism.load(tmp_path / "nowhere")


def test_a_searcher_takes_it(table, fitted):
    searcher = Searcher(fitted)
    searcher.add(table[0])
    assert searcher.search(table[0][3:4], k=1)[1].tolist() == [[3]]


def test_the_inputs_can_be_tapped_in_place_of_the_features(table):
    X, y = table
    encoder = Prism(prefix(), bits=16, tap="inputs", random_state=0).fit(X, y)
    residual = ResidualITQ(8, random_state=0).fit(X, y)
    np.testing.assert_array_equal(encoder.project(X)[:, 8:], residual.project(X))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"bits": 8}, "bits: expected more than the prefix's 8, got 8"),
        ({"gamma": 1.1}, "gamma: expected 0 to 1, got 1.1"),
        ({"tap": "logits"}, "tap: expected 'features' or 'inputs', got 'logits'"),
        ({"bits": 36}, "bits: .*at most 24.* got 28|bits: .* 28"),
    ],
)
def test_unfit_parameters_are_refused(table, given, words):
    with pytest.raises(ParameterError, match=words):
        Prism(prefix(epochs=1), **{"bits": 16, "random_state": 0} | given).fit(*table)


def test_what_cannot_be_fitted_leaves_what_was_fitted(table):
    X, y = table
    encoder = Prism(prefix(), bits=16, random_state=0).fit(X, y)
    before = encoder.fingerprint
    with pytest.raises(ShapeError, match=r"y: expected \(240,\)"):
        encoder.fit(X, np.eye(3, dtype=int)[y])
    encoder.gamma = 0.1
    with pytest.raises(ParameterError, match=r"bits: .* rank \d, .* got 8"):
        encoder.fit(X[:, :2] @ np.ones((2, 24), "f4") + X[:, :1], y)
    assert encoder.fingerprint == before


def test_it_says_that_it_is_not_fitted_and_what_it_cannot_tap(table):
    encoder = Prism(prefix(), bits=16)
    for ask in (lambda: encoder.transform(table[0]), lambda: encoder.fingerprint):
        with pytest.raises(ParameterError, match="not fitted yet"):
            ask()
    images = np.zeros((40, 8, 8), np.uint8)
    images[::2, :4] = 255
    of_images = DeepHasher("small-cnn", "hashnet", 4, epochs=1, device="cpu", random_state=0)
    with pytest.raises(CodeError, match='tap="inputs"'):
        Prism(of_images, bits=8, tap="inputs").fit(images, np.arange(40) % 2)
