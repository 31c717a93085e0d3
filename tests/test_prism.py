"""Prism: a learned prefix and the closed form of the rest, in one encoder and one file."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from hashret import Searcher
from hashret.codes import pack, unpack
from hashret.deep import DeepHasher
from hashret.encoders import ResidualITQ
from hashret.errors import (
    CodeError,
    DTypeError,
    EncoderMismatchError,
    FormatError,
    ParameterError,
    ShapeError,
)
from hashret.evaluation.choosing import map_under
from hashret.experiments.benchmark.axes import _by_rule
from hashret.prism import WEIGHTS, Prism
from hashret.ranking import ClassAware, FloatQuery, Hamming, WeightedPrefix, mean_margins


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
    assert fitted.ranking is None
    searcher = Searcher(fitted)
    searcher.add(table[0])
    assert searcher.search(table[0][3:4], k=1)[1].tolist() == [[3]]


@pytest.fixture(scope="module")
def ranked(table):
    X, y = table
    return Prism(prefix(), 20, 0.25, random_state=0).fit(
        X[:160], y[:160], held_out=(X[160:], y[160:])
    )


def test_the_ranking_is_what_ranks_held_out_images_best(table, ranked):
    X, y = table
    rule, margins, own = ranked.ranking, ranked.project(X), 8
    assert (rule.bits, rule.prefix_bits) == (20, own)
    of_class = [unpack(ranked.transform(X[:160][y[:160] == c]), 20)[:, :own] for c in range(3)]
    centres = pack(np.array([part.mean(axis=0) - 0.5 for part in of_class]))
    np.testing.assert_array_equal(rule.centres, centres)
    tried = [Hamming(20), *(ClassAware(20, own, w, centres=centres) for w in WEIGHTS)]
    scores = [map_under(each, margins[160:], y[160:]) for each in tried]
    assert tried[int(np.argmax(scores))] == rule
    assert scores[0] < max(scores)
    # The codes do not depend on it; the fingerprint does.
    assert (
        ranked.codes_fingerprint
        == Prism(prefix(), 20, 0.25, random_state=0).fit(X[:160], y[:160]).fingerprint
    )
    assert ranked.fingerprint != ranked.codes_fingerprint


def test_a_searcher_answers_in_the_order_that_is_judged(table, ranked, tmp_path):
    X, _ = table
    ranked.save(tmp_path / "encoder")
    again = Prism.load(tmp_path / "encoder", device="cpu")
    assert (again.ranking, again.fingerprint) == (ranked.ranking, ranked.fingerprint)
    again.ranking = FloatQuery(ranked.ranking, mean_margins(ranked.project(X)))
    for encoder in (ranked, again):
        searcher = Searcher(encoder)
        searcher.add(X)
        distances, ids = searcher.search(X[160:], k=50)
        judged = _by_rule(encoder.ranking)(encoder.project(X[160:]), encoder.project(X))
        table_of = judged(slice(0, 80))
        wanted = np.argsort(table_of, axis=1, kind="stable")[:, :50]
        np.testing.assert_array_equal(ids, wanted)
        np.testing.assert_array_equal(distances, np.take_along_axis(table_of, wanted, axis=1))
        searcher.index.save(tmp_path / "index")
        with pytest.raises(EncoderMismatchError, match="under another ranking rule"):
            Searcher.load(tmp_path / "index", again if encoder is ranked else ranked)


def test_a_file_whose_ranking_is_damaged_is_refused(ranked, tmp_path):
    path = tmp_path / "encoder"
    ranked.save(path)
    whole = path.read_bytes()
    for found, put in (
        (b"class-aware", b"class-ahead"),
        (b'\\"share\\": 0.5', b'\\"share\\": 0.6'),
    ):
        assert whole.count(found) == 1
        path.write_bytes(whole.replace(found, put))
        with pytest.raises(FormatError):
            Prism.load(path, device="cpu")


def test_fitting_again_without_held_out_images_drops_the_ranking(table):
    X, y = table
    encoder = Prism(prefix(epochs=1), 16, random_state=0).fit(X, y)
    encoder.ranking = WeightedPrefix(16, 8, 4)
    assert encoder.fit(X, y).ranking is None


@pytest.mark.parametrize(
    ("held_out", "error", "words"),
    [
        (3, DTypeError, r"held_out: expected \(images, labels\), got int"),
        ((np.zeros((4, 24)),), DTypeError, "held_out: expected"),
        ((np.zeros((4, 23)), [0, 0, 1, 1]), ShapeError, r"held_out: expected images \(24,\)"),
        ((np.zeros((4, 24)), [0, 0, 1]), ShapeError, r"held_out: expected \(4,\), a label"),
        ((np.zeros((3, 24)), [0, 1, 2]), ParameterError, "held_out: no two images share"),
        ((np.zeros((0, 24)), []), ParameterError, "held_out: no two images share"),
        ((np.zeros((2, 24)), None), ParameterError, "held_out: expected labels"),
    ],
)
def test_held_out_images_that_cannot_judge_are_refused(table, held_out, error, words):
    encoder = Prism(prefix(epochs=10**6), 16)  # before the training, which would not end
    with pytest.raises(error, match=words):
        encoder.fit(*table, held_out=held_out)


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


def test_parameters_that_are_set_later_change_nothing_until_it_is_fitted(table, tmp_path):
    X, y = table
    encoder = Prism(prefix(), bits=np.int64(16), gamma=np.float32(0.5), random_state=np.int64(3))
    before = encoder.fit(X, y).fingerprint, encoder.transform(X)
    encoder.bits, encoder.gamma, encoder.tap, encoder.random_state = 64, 0.1, "inputs", 5
    encoder.prefix.bits = 12
    with pytest.raises(ParameterError, match="bits"):
        encoder.fit(X, y)
    encoder.save(tmp_path / "encoder")
    again = Prism.load(tmp_path / "encoder", device="cpu")
    assert (again.bits, again.gamma, again.tap, again.random_state) == (16, 0.5, "features", 3)
    for each in (encoder, again):
        assert (each.code_bits, each.prefix_bits, each.fingerprint) == (16, 8, before[0])
        np.testing.assert_array_equal(each.transform(X), before[1])


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
