"""Rules of encoders: saved with them, searched by, part of what an index is told of its encoder."""

from __future__ import annotations

import copy
import functools
import json
import pickle

import numpy as np
import oracle
import pytest

pytest.importorskip("sklearn", reason="needs the extra 'images'")
pytest.importorskip("safetensors", reason="needs the extra 'images'")

from ranking.rules import make_rule
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hashret import Index, Searcher
from hashret.encoders import ITQ, PCAHashing, RandomProjectionLSH, SpectralHashing
from hashret.encoders.base import load_encoder
from hashret.errors import DTypeError, EncoderMismatchError, FormatError, ParameterError
from hashret.ranking import FloatQuery, Hamming, WeightedPrefix
from hashret.searcher import check_encoder

VECTORS = np.random.default_rng(0).normal(size=(300, 12)).astype(np.float32)
BITS = 12


@functools.cache
def trained():
    deep = pytest.importorskip(
        "hashret.deep", reason="needs the extra 'torch'", exc_type=ImportError
    )
    hasher = deep.DeepHasher(
        "linear", bits=BITS, epochs=1, batch_size=100, random_state=0, progress=None
    )
    return hasher.fit(VECTORS, np.arange(300) % 4)


def deep():
    return copy.copy(trained())


# Each fits one, and says how one that was saved is read.
SORTS = {
    "lsh": (lambda: RandomProjectionLSH(6, 2, random_state=0).fit(VECTORS), load_encoder),
    "pca": (lambda: PCAHashing(BITS).fit(VECTORS), load_encoder),
    "itq": (lambda: ITQ(BITS, random_state=0).fit(VECTORS), load_encoder),
    "spectral": (lambda: SpectralHashing(BITS).fit(VECTORS), load_encoder),
    "deep": (deep, lambda path: type(trained()).load(path)),
}


@pytest.fixture(params=SORTS)
def sort(request):
    return SORTS[request.param]


def rules():
    rng = np.random.default_rng(0)
    plain, _ = make_rule(rng, BITS, 5, 4.0)
    aware, _ = make_rule(rng, BITS, 5, 4.0, classes=3)
    return [plain, aware, FloatQuery(aware), FloatQuery(Hamming(BITS))]


def test_a_rule_is_saved_with_its_encoder_and_searched_by(sort, tmp_path):
    fit, load = sort
    encoder = fit()
    plain = encoder.fingerprint
    for rule in rules():
        encoder.ranking = rule
        encoder.save(tmp_path / "encoder")
        again = load(tmp_path / "encoder")
        assert again.ranking == rule
        assert again.fingerprint == encoder.fingerprint != plain
        assert again.codes_fingerprint == plain
        assert len(encoder.fingerprint) == 64
        searcher = Searcher(again)
        searcher.add(VECTORS)
        wanted = rule.distances(
            rule.queries_of(encoder.project(VECTORS[:5])), encoder.transform(VECTORS)
        )
        for got, want in zip(
            searcher.search(VECTORS[:5], 9),
            oracle.ranked_search(wanted, np.arange(300), 9),
            strict=True,
        ):
            np.testing.assert_array_equal(got, want)
        radius = float(np.median(wanted))
        for got, want in zip(
            searcher.range_search(VECTORS[:5], radius),
            oracle.ranked_within(wanted, np.arange(300), radius),
            strict=True,
        ):
            np.testing.assert_array_equal(got, want)
        searcher.index.save(tmp_path / "index.hri")
        Searcher.load(tmp_path / "index.hri", again)
    encoder.ranking = None
    assert encoder.fingerprint == plain
    encoder.save(tmp_path / "encoder")
    assert load(tmp_path / "encoder").ranking is None


def test_an_index_of_another_rule_is_refused(sort):
    encoder = sort[0]()
    plain = Searcher(encoder).index
    one, other = WeightedPrefix(BITS, 5, 1), WeightedPrefix(BITS, 5, 4)
    encoder.ranking = one
    index = Searcher(encoder).index
    check_encoder(index, encoder)
    for rule, refused in ((other, index), (None, index), (one, plain)):
        encoder.ranking = rule
        for refuse in (lambda: check_encoder(refused, encoder), lambda: Searcher(encoder, refused)):  # noqa: B023
            with pytest.raises(EncoderMismatchError, match="under another ranking rule"):
                refuse()
    with pytest.raises(EncoderMismatchError, match="under another ranking rule"):
        index.ranked(other)


def test_another_encoders_codes_are_no_matter_of_rules():
    encoders = [PCAHashing(BITS).fit(VECTORS[start:]) for start in (0, 9)]
    for encoder in encoders:
        encoder.ranking = WeightedPrefix(BITS, 5, 4)
    with pytest.raises(EncoderMismatchError, match="its fingerprint is"):
        Searcher(encoders[1], Searcher(encoders[0]).index)


def test_fitting_again_drops_a_rule(sort):
    encoder = sort[0]()
    encoder.ranking = WeightedPrefix(BITS, 5, 4)
    searcher = Searcher(encoder)
    encoder.fit(VECTORS, np.arange(300) % 4)
    assert encoder.ranking is None
    searcher.add(VECTORS)
    assert searcher.search(VECTORS[:1], 1)[0].dtype == np.float64


def test_copies_and_pickles_have_the_rule(sort):
    encoder = sort[0]()
    encoder.ranking = WeightedPrefix(BITS, 5, 4)
    for made in (copy.copy(encoder), copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
        assert made.ranking == encoder.ranking
        assert made.fingerprint == encoder.fingerprint


def test_what_is_no_rule_for_an_encoder_is_refused(sort):
    encoder = sort[0]()
    with pytest.raises(DTypeError, match="ranking: expected a Rule or None, got str"):
        encoder.ranking = "hamming"
    with pytest.raises(ParameterError, match="codes of 13 bits, the encoder makes 12"):
        encoder.ranking = Hamming(13)
    assert encoder.ranking is None


def test_a_rule_needs_a_fitted_encoder():
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        PCAHashing(BITS).ranking = Hamming(BITS)


def test_a_pipeline_ranks_as_its_encoder():
    scaler = StandardScaler().fit(VECTORS)
    encoder = PCAHashing(BITS).fit(scaler.transform(VECTORS))
    plain = Searcher(make_pipeline(scaler, encoder))
    encoder.ranking = FloatQuery(WeightedPrefix(BITS, 5, 4))
    searcher = Searcher(make_pipeline(scaler, encoder))
    searcher.add(VECTORS)
    margins, database = searcher.encoder.project(VECTORS[:4]), searcher.encode(VECTORS)
    wanted = oracle.ranked_search(encoder.ranking.distances(margins, database), np.arange(300), 6)
    for got, want in zip(searcher.search(VECTORS[:4], 6), wanted, strict=True):
        np.testing.assert_array_equal(got, want)
    with pytest.raises(EncoderMismatchError, match="under another ranking rule"):
        Searcher(make_pipeline(scaler, encoder), plain.index)


def test_an_index_of_buckets_cannot_be_ranked():
    encoder = RandomProjectionLSH(6, 2, random_state=0).fit(VECTORS)
    encoder.ranking = WeightedPrefix(BITS, 6, 4)
    with pytest.raises(ParameterError, match="this is 'lsh'"):
        Searcher(encoder, kind="lsh", tables=2)


@pytest.mark.parametrize(
    "saved",
    [None, {"rule": "none"}, {"rule": "hamming", "bits": 5}, {"rule": "hamming", "bits": 12}],
)
def test_a_file_whose_rule_is_damaged_is_a_format_error(tmp_path, saved):
    """The last is a rule, and not the one that the fingerprint names."""
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    encoder = PCAHashing(BITS).fit(VECTORS)
    encoder.ranking = WeightedPrefix(BITS, 5, 4)
    path = tmp_path / "encoder"
    encoder.save(path)
    with safe_open(path, framework="numpy") as file:
        card = json.loads(file.metadata()["hashret"])
    save_file(load_file(path), path, {"hashret": json.dumps(card | {"ranking": saved})})
    with pytest.raises(FormatError):
        load_encoder(path)


def test_a_deep_file_whose_rule_is_damaged_is_a_format_error(tmp_path):
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    hasher = deep()
    hasher.ranking = WeightedPrefix(BITS, 5, 4)
    path = tmp_path / "encoder"
    hasher.save(path)
    with safe_open(path, framework="numpy") as file:
        card = json.loads(file.metadata()["hashret"])
    for saved in (None, {"rule": "none"}, {"rule": "hamming", "bits": 5}):
        save_file(load_file(path), path, {"hashret": json.dumps(card | {"ranking": saved})})
        with pytest.raises(FormatError):
            type(hasher).load(path)


def test_a_plain_index_may_be_looked_at_by_any_rule():
    encoder = PCAHashing(BITS).fit(VECTORS)
    index = Index(BITS, encoder=encoder.fingerprint)
    index.add(encoder.transform(VECTORS))
    for rule in rules():
        found = index.ranked(rule).search(rule.queries_of(encoder.project(VECTORS[:2])), 3)
        assert found[1].shape == (2, 3)
