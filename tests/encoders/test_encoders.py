"""Encoders: the estimator contract, the theory of random projections, and saved files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn")
pytest.importorskip("safetensors")

import safetensors.numpy
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from hashret.codes import pack, unpack
from hashret.encoders import (
    ITQ,
    Encoder,
    PCAHashing,
    RandomProjectionLSH,
    ResidualITQ,
    SpectralHashing,
    load_encoder,
)
from hashret.encoders.fitted import FittedProjection
from hashret.errors import CodeError, DTypeError, FormatError, HashretError, ParameterError


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(3.0, 1.0, (200, 20))


@parametrize_with_checks(
    [
        RandomProjectionLSH(bits=5, tables=2, random_state=0),
        RandomProjectionLSH(distribution="orthogonal", random_state=0),
    ]
)
@pytest.mark.filterwarnings("ignore")  # scikit-learn's own checks warn
def test_scikit_learn_checks(estimator, check) -> None:
    check(estimator)


@pytest.mark.parametrize(("bits", "tables"), [(1, 1), (8, 2), (12, 3), (16, 16), (4096, 1)])
@pytest.mark.parametrize("distribution", ["gaussian", "orthogonal"])
def test_codes_are_packed_margins(features, bits: int, tables: int, distribution: str) -> None:
    encoder = RandomProjectionLSH(bits, tables, distribution, random_state=1).fit(features)
    codes, margins = encoder.transform(features), encoder.project(features)
    assert encoder.code_bits == bits * tables
    assert margins.shape == (200, bits * tables)
    assert margins.dtype == np.float32
    np.testing.assert_array_equal(codes, pack(margins))
    expected = (features - features.mean(axis=0)) @ encoder.projection_
    np.testing.assert_allclose(margins, expected, rtol=1e-4, atol=1e-5)


def test_codes_do_not_depend_on_the_batch(features) -> None:
    many = np.random.default_rng(1).normal(3.0, 1.0, (2500, 20))
    encoder = RandomProjectionLSH(random_state=0).fit(features)
    rows = [encoder.transform(many[i : i + 1]) for i in (0, 2047, 2048, 2499)]
    np.testing.assert_array_equal(encoder.transform(many)[[0, 2047, 2048, 2499]], np.vstack(rows))


@pytest.mark.parametrize("distribution", ["gaussian", "orthogonal"])
def test_bits_differ_in_proportion_to_the_angle(distribution: str) -> None:
    """Charikar 2002: P(bit differs) = angle / pi; 4096 bits estimate it within 5 deviations."""
    angles = np.linspace(0, np.pi, 7)
    vectors = np.zeros((7, 50))
    vectors[:, 0], vectors[:, 1] = np.cos(angles), np.sin(angles)
    encoder = RandomProjectionLSH(256, 16, distribution, random_state=0)
    encoder.fit(np.concatenate([vectors, -vectors]))  # whose mean is 0
    bits = unpack(encoder.transform(vectors), 4096)
    differing = (bits != bits[0]).mean(axis=1)
    np.testing.assert_allclose(differing, angles / np.pi, atol=5 * 0.5 / np.sqrt(4096))


def test_orthogonal_directions_are_orthonormal_by_groups(features) -> None:
    encoder = RandomProjectionLSH(30, 1, "orthogonal", random_state=0).fit(features)
    for group in (encoder.projection_[:, :20], encoder.projection_[:, 20:]):
        np.testing.assert_allclose(group.T @ group, np.eye(group.shape[1]), atol=1e-12)


def test_features_are_centred(features) -> None:
    encoder = RandomProjectionLSH(random_state=0).fit(features)
    shifted = RandomProjectionLSH(random_state=0).fit(features + 1000.0)
    near = unpack(encoder.transform(features), 128) != unpack(
        shifted.transform(features + 1000.0), 128
    )
    assert near.mean() < 1e-3
    balance = unpack(encoder.transform(features), 128).mean()
    assert 0.45 < balance < 0.55


def test_the_seed_decides(features) -> None:
    codes = [
        RandomProjectionLSH(random_state=seed).fit(features).transform(features)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert (codes[0] != codes[2]).any()


def test_one_row_is_enough_to_fit() -> None:
    encoder = RandomProjectionLSH(random_state=0).fit([[1.0, 2.0]])
    assert not encoder.transform([[1.0, 2.0]]).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_features_are_named(features, bad: float) -> None:
    broken = features.copy()
    broken[7, 3] = bad
    fitted = RandomProjectionLSH(random_state=0).fit(features)
    for call in (RandomProjectionLSH().fit, fitted.transform, fitted.project):
        with pytest.raises(CodeError, match="row 7") as caught:
            call(broken)
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "X", [[], [[]], [1.0, 2.0], np.zeros((2, 2, 2)), np.zeros((0, 3)), [["a", "b"]]]
)
def test_bad_tables_are_hashret_value_errors(X) -> None:
    with pytest.raises(HashretError, match="X") as caught:
        RandomProjectionLSH().fit(X)
    assert isinstance(caught.value, ValueError)


def test_features_of_another_width_are_refused(features) -> None:
    fitted = RandomProjectionLSH(random_state=0).fit(features)
    with pytest.raises(HashretError, match="21 features"):
        fitted.transform(np.zeros((1, 21)))


@pytest.mark.parametrize(
    ("parameters", "error", "name"),
    [
        ({"bits": 0}, ParameterError, "bits"),
        ({"bits": 4097}, ParameterError, "bits"),
        ({"bits": 2.0}, DTypeError, "bits"),
        ({"tables": 0}, ParameterError, "tables"),
        ({"tables": True}, DTypeError, "tables"),
        ({"bits": 64, "tables": 65}, ParameterError, "4160"),
        ({"distribution": "cauchy"}, ParameterError, "cauchy"),
    ],
)
def test_bad_parameters_are_named(features, parameters, error: type, name: str) -> None:
    with pytest.raises(error, match=name):
        RandomProjectionLSH(**parameters).fit(features)


def test_unfitted_encoders_say_so(features, tmp_path: Path) -> None:
    encoder = RandomProjectionLSH()
    calls = (
        lambda: encoder.transform(features),
        lambda: encoder.project(features),
        lambda: encoder.fingerprint,
        lambda: encoder.save(tmp_path / "x"),
    )
    for call in calls:
        with pytest.raises(NotFittedError):
            call()
    assert list(tmp_path.iterdir()) == []


def test_fingerprint_changes_with_what_changes_codes(features) -> None:
    def fingerprint(X=features, **parameters) -> str:
        return RandomProjectionLSH(**{"random_state": 0} | parameters).fit(X).fingerprint

    assert fingerprint() == fingerprint()
    others = [
        fingerprint(random_state=1),
        fingerprint(bits=8, tables=16),
        fingerprint(distribution="orthogonal"),
        fingerprint(X=features + 1),
    ]
    assert len({fingerprint(), *others}) == 5
    fitted = RandomProjectionLSH(random_state=0).fit(features)
    assert fitted.set_params(random_state=5).fingerprint == fingerprint()


@pytest.mark.parametrize("seed", [None, 3, np.int64(3), np.random.RandomState(3)])
def test_saved_encoders_come_back_equal(features, tmp_path: Path, seed) -> None:
    encoder = RandomProjectionLSH(12, np.int64(3), "orthogonal", random_state=seed).fit(features)
    encoder.save(tmp_path / "encoder.safetensors")
    again = load_encoder(tmp_path / "encoder.safetensors")
    assert type(again) is RandomProjectionLSH
    assert again.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(again.transform(features), encoder.transform(features))
    np.testing.assert_array_equal(again.project(features), encoder.project(features))
    assert RandomProjectionLSH.load(tmp_path / "encoder.safetensors").tables == 3
    clone(again).fit(features)


@pytest.mark.parametrize(
    ("encoder", "later"),
    [
        (PCAHashing(5), {"bits": 64}),
        (ITQ(5, 9, random_state=0), {"bits": 64, "rounds": 3, "random_state": 4}),
        (SpectralHashing(5), {"bits": 5000}),
        (
            ResidualITQ(5, np.float32(0.25), random_state=0),
            {"bits": 64, "gamma": 1, "rounds": 3, "random_state": np.random.RandomState(4)},
        ),
        (
            RandomProjectionLSH(5, 3, random_state=0),
            {"bits": 5000, "tables": 2, "distribution": "orthogonal", "random_state": 4},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_parameters_that_are_set_later_change_nothing_until_it_is_fitted(
    features, tmp_path: Path, encoder, later
) -> None:
    labels = np.arange(len(features)) % 3
    encoder = clone(encoder).fit(features, labels)
    fitted_with, codes = encoder.get_params(), encoder.transform(features)
    before, margins = (encoder.fingerprint, encoder.code_bits), encoder.project(features)
    encoder.set_params(**later)
    assert (encoder.fingerprint, encoder.code_bits) == before
    with pytest.raises(ParameterError, match="bits"):
        encoder.fit(features, labels)
    encoder.save(tmp_path / "x")
    again = load_encoder(tmp_path / "x")
    assert again.get_params() == fitted_with
    for each in (encoder, again):
        assert (each.fingerprint, each.code_bits) == before
        np.testing.assert_array_equal(each.transform(features), codes)
        np.testing.assert_array_equal(each.project(features), margins)


def test_an_encoder_of_another_class_is_refused(features, tmp_path: Path) -> None:
    class Other(RandomProjectionLSH):
        pass

    RandomProjectionLSH(random_state=0).fit(features).save(tmp_path / "x")
    assert isinstance(Encoder.load(tmp_path / "x"), RandomProjectionLSH)
    with pytest.raises(FormatError, match="not a Other"):
        Other.load(tmp_path / "x")


def test_a_failed_save_keeps_the_old_file(features, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "x"
    RandomProjectionLSH(random_state=0).fit(features).save(path)
    before = path.read_bytes()

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        RandomProjectionLSH(random_state=1).fit(features).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def saved(tmp_path: Path, card: dict[str, object], arrays: dict[str, np.ndarray]) -> Path:
    """Write an encoder file of three features and four bits, changed by the arguments."""
    base = RandomProjectionLSH(4, 1, random_state=0).fit(np.eye(3))
    whole = {
        "format": 1,
        "class": "RandomProjectionLSH",
        "parameters": base.get_params(),
        "features": 3,
        "fingerprint": base.fingerprint,
    } | card
    tensors = {"mean_": base.mean_, "projection_": base.projection_} | arrays
    kept = {name: array for name, array in tensors.items() if array is not None}
    path = tmp_path / "changed"
    path.write_bytes(safetensors.numpy.save(kept, {"hashret": json.dumps(whole)}))
    return path


def to_encode_with(path: Path) -> Encoder | FittedProjection:
    """Read as collections do: whole only what is more than a projection."""
    return FittedProjection.read(path.read_bytes(), path) or load_encoder(path)


def test_the_file_has_the_described_contents(tmp_path: Path) -> None:
    assert load_encoder(saved(tmp_path, {}, {})).code_bits == 4


@pytest.mark.parametrize(
    ("card", "arrays"),
    [
        ({"format": 2}, {}),
        ({"class": "Popen"}, {}),
        ({"class": ["RandomProjectionLSH"]}, {}),
        ({"parameters": {"bits": 4, "tables": 1, "shell": True}}, {}),
        ({"parameters": {"bits": 10**9, "tables": 1}}, {}),
        ({"parameters": None}, {}),
        ({"features": 2}, {}),
        ({"features": 10**12}, {}),
        ({"features": True}, {}),
        ({"fingerprint": "0"}, {}),
        ({}, {"mean_": np.zeros(3, np.float32)}),
        ({}, {"mean_": np.zeros(3)}),
        ({}, {"mean_": np.full(3, np.nan)}),
        ({}, {"mean_": None}),
        ({}, {"projection_": np.zeros((4, 3))}),
    ],
)
def test_files_that_do_not_fit_are_format_errors(tmp_path: Path, card, arrays) -> None:
    for load in (load_encoder, to_encode_with):
        with pytest.raises(FormatError, match="changed"):
            load(saved(tmp_path, card, arrays))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_damaged_files_are_format_errors(tmp_path: Path, data) -> None:
    whole = saved(tmp_path, {}, {}).read_bytes()
    position = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        broken = whole[:position]
    else:
        flipped = whole[position] ^ data.draw(st.integers(1, 255))
        broken = whole[:position] + bytes([flipped]) + whole[position + 1 :]
    (tmp_path / "broken").write_bytes(broken)
    try:
        encoder = load_encoder(tmp_path / "broken")
    except FormatError:
        with pytest.raises(FormatError):
            to_encode_with(tmp_path / "broken")
        return
    # Only what the codes do not depend on may change: the seed.
    assert encoder.fingerprint == load_encoder(saved(tmp_path, {}, {})).fingerprint


def test_files_of_other_formats_are_format_errors(tmp_path: Path) -> None:
    for content in (b"", b"plain text", safetensors.numpy.save({"a": np.zeros(1)})):
        (tmp_path / "x").write_bytes(content)
        for load in (load_encoder, to_encode_with):
            with pytest.raises(FormatError, match="not a saved encoder"):
                load(tmp_path / "x")
    for load in (load_encoder, to_encode_with):
        with pytest.raises(FileNotFoundError):
            load(tmp_path / "none")
