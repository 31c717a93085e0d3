"""An index refuses codes of another encoder, whatever sort of encoder it is."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra 'images'")
pytest.importorskip("safetensors", reason="needs the extra 'images'")

from hashret import Index
from hashret.encoders import ITQ, PCAHashing, RandomProjectionLSH, SpectralHashing
from hashret.errors import CodeError, EncoderMismatchError, FormatError, ShapeError
from hashret.searcher import Searcher, check_encoder

VECTORS = np.random.default_rng(0).normal(size=(80, 12)).astype(np.float32)
LABELS = np.arange(80) % 4


def deep(seed, bits):
    deep = pytest.importorskip(
        "hashret.deep", reason="needs the extra 'torch'", exc_type=ImportError
    )
    hasher = deep.DeepHasher(
        "linear", bits=bits, epochs=1, batch_size=16, random_state=seed, progress=None
    )
    return hasher.fit(VECTORS, LABELS)


# Each fits an encoder by what sets two of its sort apart, and the length of its codes.
SORTS = {
    "lsh": lambda seed, bits: RandomProjectionLSH(bits // 2, 2, random_state=seed).fit(VECTORS),
    "pca": lambda seed, bits: PCAHashing(bits).fit(VECTORS[seed:]),
    "itq": lambda seed, bits: ITQ(bits, random_state=seed).fit(VECTORS),
    "spectral": lambda seed, bits: SpectralHashing(bits).fit(VECTORS[seed:]),
    "deep": deep,
}


@pytest.fixture(params=SORTS)
def fit(request):
    return SORTS[request.param]


def test_every_encoder_has_a_fingerprint_that_an_index_keeps(fit, tmp_path):
    encoder, same = fit(1, 8), fit(1, 8)
    assert isinstance(encoder.fingerprint, str)
    assert encoder.fingerprint == same.fingerprint
    assert encoder.code_bits == 8
    searcher = Searcher(encoder)
    np.testing.assert_array_equal(searcher.encode(VECTORS), encoder.transform(VECTORS))
    np.testing.assert_array_equal(searcher.add(VECTORS), np.arange(80))
    searcher.index.save(tmp_path / "index.hri")
    for mmap in (False, True):
        again = Searcher.load(tmp_path / "index.hri", same, mmap=mmap)
        codes = encoder.transform(VECTORS)
        plain = Index(8)
        plain.add(codes)
        for found, expected in zip(
            again.search(VECTORS[:9], 5), plain.search(codes[:9], 5), strict=True
        ):
            np.testing.assert_array_equal(found, expected)
        for found, expected in zip(
            again.range_search(VECTORS[:9], 2), plain.range_search(codes[:9], 2), strict=True
        ):
            np.testing.assert_array_equal(found, expected)


def test_another_encoders_codes_and_other_bits_are_refused(fit, tmp_path):
    encoder = fit(1, 8)
    searcher = Searcher(encoder)
    searcher.add(VECTORS)
    path = tmp_path / "index.hri"
    searcher.index.save(path)
    other, longer = fit(2, 8), fit(1, 10)
    assert len({encoder.fingerprint, other.fingerprint, longer.fingerprint}) == 3
    for refuse in (
        lambda: check_encoder(searcher.index, other),
        lambda: Searcher(other, searcher.index),
        lambda: Searcher.load(path, other),
        lambda: Index.load(path, encoder=other.fingerprint),
    ):
        with pytest.raises(EncoderMismatchError, match=other.fingerprint):
            refuse()
    with pytest.raises(EncoderMismatchError, match="codes of 10 bits, the index holds 8"):
        Searcher.load(path, longer)
    with pytest.raises(ShapeError, match="8-bit"):
        searcher.index.add(longer.transform(VECTORS))
    assert len(searcher.index) == 80


def test_an_index_that_does_not_know_its_encoder_is_refused():
    with pytest.raises(EncoderMismatchError, match="codes of None"):
        Searcher(PCAHashing(8).fit(VECTORS), Index(8))


@pytest.mark.parametrize("sort", ["lsh", "deep"])
def test_fitting_again_leaves_a_searcher_as_it_was(sort):
    encoder = SORTS[sort](1, 8)
    searcher = Searcher(encoder)
    searcher.add(VECTORS)
    before = searcher.encode(VECTORS)
    encoder.set_params(random_state=9) if sort == "lsh" else setattr(encoder, "random_state", 9)
    encoder.fit(VECTORS, LABELS)
    assert (encoder.transform(VECTORS) != before).any()
    np.testing.assert_array_equal(searcher.encode(VECTORS), before)
    with pytest.raises(EncoderMismatchError):
        Searcher(encoder, searcher.index)


def test_buckets_are_probed_in_the_order_of_margins():
    encoder = RandomProjectionLSH(6, 2, random_state=0).fit(VECTORS)
    searcher = Searcher(encoder, kind="lsh", tables=2)
    searcher.add(VECTORS)
    margins = encoder.project(VECTORS[:20])
    expected = searcher.index.search(encoder.transform(VECTORS[:20]), 5, probes=3, margins=margins)
    found = searcher.search(VECTORS[:20], 5, probes=3)
    for part, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(part, other)


def test_bad_input_changes_nothing(tmp_path):
    searcher = Searcher(PCAHashing(8).fit(VECTORS))
    bad = VECTORS.copy()
    bad[3, 3] = np.nan
    with pytest.raises(CodeError, match="row 3"):
        searcher.add(bad)
    with pytest.raises(ShapeError):
        searcher.search(VECTORS[:, :5], 3)
    assert len(searcher.index) == 0
    (tmp_path / "text").write_text("no index")
    with pytest.raises(FormatError):
        Searcher.load(tmp_path / "text", PCAHashing(8).fit(VECTORS))
