"""PCA hashing, ITQ and spectral hashing against independent computations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("safetensors")

from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

from hashret.codes import pack
from hashret.encoders import ITQ, PCAHashing, SpectralHashing, load_encoder
from hashret.errors import DTypeError, ParameterError, ShapeError

ENCODERS = [PCAHashing(5), ITQ(5, random_state=0), SpectralHashing(5)]


@pytest.fixture
def features() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(150, 9)) * np.arange(9, 0, -1) @ rng.normal(size=(9, 9)) + 3


@parametrize_with_checks([PCAHashing(1), ITQ(1, random_state=0), SpectralHashing(3)])
@pytest.mark.filterwarnings("ignore")  # scikit-learn's own checks warn
def test_scikit_learn_checks(estimator, check) -> None:
    check(estimator)


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda e: type(e).__name__)
def test_codes_are_packed_margins_and_files_keep_them(encoder, features, tmp_path: Path) -> None:
    codes, margins = encoder.fit(features).transform(features), encoder.project(features)
    assert encoder.code_bits == 5
    assert margins.dtype == np.float32
    np.testing.assert_array_equal(codes, pack(margins))
    encoder.save(tmp_path / "encoder")
    again = load_encoder(tmp_path / "encoder")
    assert type(again) is type(encoder)
    assert again.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(again.project(features), margins)


def test_pca_hashing_is_the_sign_of_principal_components(features) -> None:
    expected = PCA(5, svd_solver="full").fit_transform(features)
    margins = PCAHashing(5).fit(features).project(features)
    signs = np.sign((expected * margins).sum(axis=0))  # an axis has no sign of its own
    np.testing.assert_allclose(margins, expected * signs, rtol=1e-4, atol=1e-4)


def objective(encoder: ITQ, features: np.ndarray) -> float:
    values = (features - features.mean(axis=0)) @ encoder.projection_
    return float(((np.where(values > 0, 1, -1) - values) ** 2).sum())


@pytest.mark.parametrize("seed", [0, 1])
def test_itq_never_gets_worse_and_ends_better(features, seed: int) -> None:
    scores = [objective(ITQ(5, r, seed).fit(features), features) for r in range(1, 51)]
    assert all(np.diff(scores) <= 1e-9 * scores[0])
    assert scores[-1] < scores[0]
    assert scores[-1] < objective(PCAHashing(5).fit(features), features)


def test_itq_rotates_within_the_principal_axes(features) -> None:
    axes = PCAHashing(5).fit(features).projection_
    projection = ITQ(5, random_state=0).fit(features).projection_
    rotation = axes.T @ projection
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(axes @ rotation, projection, atol=1e-12)


def test_the_seed_decides_itq(features) -> None:
    first, same, other = (ITQ(5, random_state=s).fit(features).fingerprint for s in (0, 0, 1))
    assert first == same != other


@pytest.mark.parametrize("bits", [1, 5, 9, 40])
def test_spectral_hashing_takes_the_slowest_eigenfunctions(features, bits: int) -> None:
    along = PCA(min(bits, 9), svd_solver="full").fit_transform(features)
    encoder = SpectralHashing(bits).fit(features)
    axes = PCA(min(bits, 9), svd_solver="full").fit(features).components_
    # scikit-learn's axis, turned to the side of the encoder's where that uses it
    for axis in range(len(axes)):
        products = axes[axis] @ encoder.projection_
        if (np.abs(products) > 0.99).any():
            along[:, axis] *= np.sign(products[np.abs(products).argmax()])
    modes = sorted(
        (m * np.pi / np.ptp(along[:, axis]), axis, m)
        for axis in range(along.shape[1])
        for m in range(1, bits + 1)
    )[:bits]
    expected = [
        np.sin(np.pi / 2 + m * np.pi * (x - x.min()) / np.ptp(x))
        for x, m in ((along[:, axis], m) for _, axis, m in modes)
    ]
    np.testing.assert_allclose(encoder.frequency_, [w for w, _, _ in modes], rtol=1e-9)
    np.testing.assert_allclose(encoder.project(features), np.transpose(expected), atol=1e-5)


def test_spectral_hashing_skips_axes_without_extent(features) -> None:
    flat = np.column_stack([features[:, :2], features[:, 0], np.ones(len(features))])
    margins = SpectralHashing(12).fit(flat).project(flat)
    assert np.isfinite(margins).all()
    assert (margins.std(axis=0) > 0.1).all()
    with pytest.raises(ShapeError, match="X: all rows are equal"):
        SpectralHashing(3).fit(np.ones((4, 2)))


@pytest.mark.parametrize("encoder", [PCAHashing, ITQ])
def test_more_bits_than_features_are_refused(features, encoder) -> None:
    assert encoder(9).fit(features).transform(features).shape == (150, 2)
    with pytest.raises(ParameterError, match=r"bits: .* n_features=9, got 10"):
        encoder(10).fit(features)


@pytest.mark.parametrize("encoder", [PCAHashing, ITQ, SpectralHashing])
def test_bad_parameters_are_named(features, encoder) -> None:
    with pytest.raises(ParameterError, match="bits"):
        encoder(0).fit(features)
    with pytest.raises(DTypeError, match="bits"):
        encoder(2.0).fit(features)
    with pytest.raises(ParameterError, match="rounds"):
        ITQ(2, rounds=0).fit(features)
