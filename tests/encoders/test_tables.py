"""Encoders and the tables that they meet: long, wide, of low rank, of any type, with names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn")
pytest.importorskip("safetensors")

import safetensors.numpy
from sklearn.base import clone
from threadpoolctl import threadpool_info, threadpool_limits

from hashret import encoders
from hashret.codes import pack, unpack
from hashret.encoders import (
    ITQ,
    PCAHashing,
    RandomProjectionLSH,
    ResidualITQ,
    SpectralHashing,
    load_encoder,
)
from hashret.errors import CodeError, DTypeError, FormatError, HashretError, ParameterError
from hashret.methods import METHODS, TWO_PARTS, Classic, TwoPart

KINDS = {
    "lsh": lambda bits: RandomProjectionLSH(bits, 1, random_state=0),
    "orthogonal": lambda bits: RandomProjectionLSH(bits, 1, "orthogonal", random_state=0),
    "pca": PCAHashing,
    "itq": lambda bits: ITQ(bits, random_state=0),
    "residual": lambda bits: ResidualITQ(bits, gamma=1.0, random_state=0),
    "spectral": SpectralHashing,
}
BY_AXES = ["pca", "itq", "spectral"]


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def table(count=60, width=12, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, width)) * np.linspace(3, 1, width) + rng.normal(size=width)


@pytest.fixture
def one_thread():
    with threadpool_limits(1):
        yield


def peak(call) -> int:
    """Return the bytes that numpy held at once for a call, beside what there was before."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# Memory and time.

BLOCKS = 30 * 2**20  # a few of 8 MB


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("sort", "dtype"),
    [*((sort, np.float32) for sort in ("lsh", *BY_AXES)), ("lsh", np.float16), ("pca", np.uint8)],
)
def test_a_long_table_in_a_mapped_file_is_read_in_blocks(tmp_path, sort, dtype):
    count, width, bits = 200_000, 32, 8
    shape = (count, width)
    mapped = np.lib.format.open_memmap(tmp_path / "table.npy", "w+", dtype, shape)
    mapped[:] = np.random.default_rng(0).integers(0, 200, shape, np.uint8)
    encoder = KINDS[sort](bits)
    if isinstance(encoder, ITQ):
        encoder.set_params(rounds=2)
    values = 8 * count * bits if isinstance(encoder, ITQ) else 0
    assert peak(lambda: encoder.fit(mapped)) < BLOCKS + values < 8 * count * width
    assert peak(lambda: encoder.transform(mapped)) < BLOCKS + count
    assert peak(lambda: encoder.project(mapped)) < BLOCKS + 4 * count * bits


def test_a_wide_table_takes_a_matrix_of_its_rows(kind):
    wide = table(40, 3500).astype(np.float32)
    encoder = kind(8)
    assert peak(lambda: encoder.fit(wide)) < BLOCKS < 8 * 3500 * 3500
    assert peak(lambda: encoder.transform(wide)) < BLOCKS


@pytest.mark.parametrize("shape", [(30, 7), (7, 30), (30, 30), (31, 30), (1500, 120), (120, 1500)])
def test_axes_are_the_singular_vectors_whatever_the_shape(shape):
    count, width = shape
    rng = np.random.default_rng(1)
    few = min(shape) - 1
    X = rng.normal(size=(count, few)) * np.geomspace(9, 1, few) @ rng.normal(size=(few, width)) + 5
    bits = min(few, 12)
    axes = PCAHashing(bits).fit(X).projection_
    expected = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][:bits].T
    np.testing.assert_allclose(axes.T @ axes, np.eye(bits), atol=1e-12)
    np.testing.assert_allclose(np.abs((axes * expected).sum(axis=0)), 1, rtol=1e-6)


# The rank.


def low_rank(rank, count, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, rank)) @ rng.normal(size=(rank, width))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(
    ("rows", "rank"),
    [
        (np.random.default_rng(0).normal(size=(10, 64)), 9),
        (low_rank(20, 300, 64), 20),
        (low_rank(20, 64, 300), 20),
        (np.hstack([table(300, 24), np.full((300, 40), 0.1)]), 24),
        (np.hstack([table(300, 24), np.full((300, 40), 1e9)]), 24),
        (np.tile(table(5, 64), (20, 1)), 4),
        (np.full((50, 64), 0.1), 0),
    ],
    ids=["few", "long", "wide", "constant", "large", "repeated", "equal"],
)
def test_bits_past_the_rank_are_named_and_zero(rows, rank, scale):
    with pytest.warns(UserWarning, match=rf"^bits: the rows have rank {rank} .*got 32"):
        encoder = PCAHashing(32).fit(rows * scale)
    assert not unpack(encoder.transform(rows * scale), 32)[:, rank:].any()
    if rank:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            PCAHashing(rank).fit(rows * scale)


@pytest.mark.parametrize("shape", [(200, 6), (6, 200)])
def test_columns_of_very_different_scale_count_to_the_full_rank(shape):
    """Their products lose what is 1e-8 of the largest, which the table itself still holds."""
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.normal(size=(size, 5)))[0] for size in shape)
    rows = (left - left.mean(axis=0)) * np.geomspace(1, 1e-11, 5) @ right.T
    axes = PCAHashing(4).fit(rows).projection_
    expected = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2][:4].T
    np.testing.assert_allclose(np.abs((axes * expected).sum(axis=0)), 1, rtol=1e-3)


# One row, one code.


def ways(rows):
    """Yield the same rows as other callers hand them in."""
    yield np.asfortranarray(rows)
    yield np.repeat(rows, 2, axis=1)[:, ::2]
    yield rows[::-1].copy()[::-1]
    yield rows.astype(rows.dtype.newbyteorder())
    yield rows.tolist()


def assert_one_code_a_row(encoder, rows):
    codes = encoder.transform(rows)
    np.testing.assert_array_equal(codes, pack(encoder.project(rows)))
    alone = np.vstack([encoder.transform(row[None]) for row in rows])
    np.testing.assert_array_equal(codes, alone)
    for way in ways(rows):
        np.testing.assert_array_equal(encoder.transform(way), codes)
    for start in range(1, min(len(rows), 6), 2):
        np.testing.assert_array_equal(encoder.transform(rows[start:]), codes[start:])
    with threadpool_limits(1):
        np.testing.assert_array_equal(encoder.transform(rows), codes)
    copies = encoder.transform(np.repeat(rows[:1], 700, axis=0))
    np.testing.assert_array_equal(copies, np.repeat(codes[:1], 700, axis=0))


@pytest.mark.parametrize("width", [33, 1500])
def test_rows_on_the_planes_have_one_code(kind, width):
    """Their margins are rounding alone: nothing but the order of a sum decides the sign."""
    rng = np.random.default_rng(0)
    encoder = kind(8).fit(rng.normal(size=(90, width)))
    planes = np.linalg.qr(encoder.projection_)[0]
    rows = rng.normal(size=(40, width)) * np.geomspace(1e-6, 1e6, 40)[:, None]
    rows = rows - rows @ planes @ planes.T + encoder.mean_
    if isinstance(encoder, SpectralHashing):
        # From the plane to where the waves cross zero: half of their length from the start.
        start = encoder.low_[0] + np.pi / 2 / encoder.frequency_[0]
        rows += start * encoder.projection_[:, 0]
    assert_one_code_a_row(encoder, rows)


@pytest.mark.parametrize("scale", [1e-120, 1e-60, 1e-30, 1e30, 1e60, 1e120])
def test_codes_do_not_depend_on_the_unit_of_the_features(kind, scale):
    rows = table(80)
    codes = kind(8).fit(rows).transform(rows)
    encoder = kind(8).fit(rows * scale)
    np.testing.assert_array_equal(encoder.transform(rows * scale), codes)
    margins = encoder.project(rows * scale)
    np.testing.assert_array_equal(pack(margins), codes)
    assert np.isfinite(margins).all()


@pytest.mark.parametrize("sort", BY_AXES)
def test_features_whose_squares_float64_does_not_hold_are_refused(sort):
    with pytest.raises(CodeError, match=r"X: .*scale"):
        KINDS[sort](4).fit(table() * 1e-200)
    with pytest.raises(CodeError, match=r"X: .*scale"):
        KINDS[sort](4).fit(table() * 1e200)


def test_threads_that_encode_at_once_and_other_processors_give_one_code(tmp_path: Path):
    rng = np.random.default_rng(0)
    encoder = ITQ(8, random_state=0).fit(rng.normal(size=(60, 40)))
    planes = np.linalg.qr(encoder.projection_)[0]
    rows = rng.normal(size=(300, 40))
    rows = rows - rows @ planes @ planes.T + encoder.mean_
    codes = encoder.transform(rows)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(encoder.transform, [rows] * 12):
            np.testing.assert_array_equal(found, codes)
    encoder.save(tmp_path / "encoder")
    np.save(tmp_path / "rows.npy", rows)
    code = (
        "import sys, numpy; from hashret.encoders import load_encoder as load;"
        "print(load(sys.argv[1]).transform(numpy.load(sys.argv[2])).tobytes().hex())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "encoder", tmp_path / "rows.npy"],
        env=os.environ | {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == codes.tobytes().hex()


@pytest.mark.filterwarnings("ignore:bits. the rows have rank")
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_rows_of_any_rank_have_one_code(data):
    sort = data.draw(st.sampled_from(sorted(KINDS)))
    width = data.draw(st.integers(2, 70))
    rank = data.draw(st.integers(1, width))
    count = data.draw(st.integers(2, 60))
    dtype = data.draw(st.sampled_from([np.float64, np.float32, np.int16]))
    rows = (low_rank(rank, count, width, data.draw(st.integers(0, 99))) * 9).astype(dtype)
    rows[: data.draw(st.integers(0, count - 2))] = rows[0]
    if (rows == rows[0]).all():
        return
    bits = data.draw(st.integers(1, width))
    assert_one_code_a_row(KINDS[sort](bits).fit(rows), rows)


def test_fitting_does_not_see_the_order_in_memory(kind):
    rows = table(300, 12).astype(np.float32)
    expected = kind(8).fit(rows).fingerprint
    for way in (np.asfortranarray(rows), rows.astype(np.float64), rows.astype(">f4")):
        assert kind(8).fit(way).fingerprint == expected


# What callers hand in.


@pytest.mark.parametrize("form", ["list", "rows", "tensor", "grad", "bfloat16", "masked", "object"])
def test_tables_of_other_libraries_are_taken(kind, form):
    rows = np.round(table() * 8) / 8  # which bfloat16 holds
    encoder = kind(8).fit(rows)
    torch = pytest.importorskip("torch") if form in ("tensor", "grad", "bfloat16") else None
    other = {
        "list": lambda: rows.tolist(),
        "rows": lambda: list(rows),
        "tensor": lambda: torch.tensor(rows),
        "grad": lambda: torch.tensor(rows, requires_grad=True),
        "bfloat16": lambda: torch.tensor(rows).bfloat16(),
        "masked": lambda: np.ma.array(rows),
        "object": lambda: rows.astype(object),
    }[form]()
    np.testing.assert_array_equal(encoder.transform(other), encoder.transform(rows))


def others():
    sparse = pytest.importorskip("scipy.sparse")
    rows = table()
    yield sparse.csr_matrix(rows), DTypeError, "X: expected a dense array.*toarray"
    yield np.ma.masked_less(rows, 0), CodeError, "X: .*masked"
    yield [np.ma.masked_less(row, 0) for row in rows], CodeError, "X: .*masked, in row 0"
    yield rows + 1j, HashretError, "X: Complex"
    yield rows.astype("M8[s]"), DTypeError, "X: expected real numbers, got datetime64"
    yield rows[0], HashretError, r"X: .*X\[None\]"
    yield [rows[0], rows[1, :5]], HashretError, "X: expected rows of one shape"
    yield [[1.0, 2.0], [3.0]], HashretError, "X: expected rows of one shape"
    yield {"a": 1}, HashretError, "X: "
    yield (row for row in rows), HashretError, "X: "
    yield rows * 1e200, CodeError, "X: .*scale"


@pytest.mark.parametrize("number", range(11))
def test_tables_of_no_use_are_hashret_errors_that_name_them(kind, number):
    bad, error, message = list(others())[number]
    encoder = kind(8).fit(table())
    with pytest.raises(error, match=f"(?s){message}"):
        encoder.transform(bad)


def test_a_fit_that_fails_leaves_the_encoder_as_it_was(kind):
    rows = table()
    encoder = kind(8).fit(rows)
    before, codes = encoder.fingerprint, encoder.transform(rows)
    broken = table(80, 20)
    broken[70, 3] = np.nan
    with pytest.raises(CodeError, match="row 70"):
        encoder.fit(broken)
    assert encoder.fingerprint == before
    np.testing.assert_array_equal(encoder.transform(rows), codes)


@pytest.mark.parametrize("encoder", [ITQ(4), RandomProjectionLSH(4)])
@pytest.mark.parametrize("seed", ["0", 1.5, np.random.default_rng(0)])
def test_a_seed_of_another_kind_is_named(encoder, seed):
    with pytest.raises(ParameterError, match="random_state"):
        clone(encoder).set_params(random_state=seed).fit(table())


def test_no_call_leaves_a_trace_in_the_process(kind):
    def state():
        threads = [(one["filepath"], one["num_threads"]) for one in threadpool_info()]
        random = np.random.get_state()[1].tolist()  # noqa: NPY002
        return list(warnings.filters), random, threads, np.geterr()

    rows = table()
    before = state()
    kind(8).fit(rows).transform(rows)
    assert state() == before


# Names of columns.


@pytest.fixture
def frame():
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(table(), columns=list("abcdefghijkl"))


def test_other_names_are_refused_before_and_after_saving(kind, frame, tmp_path: Path):
    fitted = kind(8).fit(frame)
    fitted.save(tmp_path / "encoder")
    loaded = load_encoder(tmp_path / "encoder")
    for encoder in (fitted, loaded):
        assert list(encoder.feature_names_in_) == list(frame.columns)
        np.testing.assert_array_equal(encoder.transform(frame), fitted.transform(frame))
        for other in (frame[frame.columns[::-1]], frame.rename(columns={"a": "z"})):
            for call in (encoder.transform, encoder.project):
                with pytest.raises(HashretError, match="X: The feature names should match"):
                    call(other)
    # Names do not change codes, and so not the fingerprint.
    assert loaded.fingerprint == fitted.fingerprint == kind(8).fit(frame.to_numpy()).fingerprint


def test_an_encoder_without_names_is_saved_as_before(kind, tmp_path: Path):
    kind(8).fit(table()).save(tmp_path / "encoder")
    with safetensors.safe_open(tmp_path / "encoder", "numpy") as file:
        card = json.loads(file.metadata()["hashret"])
    assert set(card) == {"format", "class", "parameters", "features", "fingerprint"}
    assert not hasattr(load_encoder(tmp_path / "encoder"), "feature_names_in_")


@pytest.mark.parametrize(
    "change",
    [
        {"names": list("abcdefghijkm")},
        {"names": list("abc")},
        {"names": None},
        {"names": [1] * 12},
        {"names_sha256": "0"},
        {"names_sha256": None},
    ],
)
def test_damaged_names_are_format_errors(frame, tmp_path: Path, change):
    path = tmp_path / "encoder"
    PCAHashing(8).fit(frame).save(path)
    with safetensors.safe_open(path, "numpy") as file:
        card = json.loads(file.metadata()["hashret"])
    arrays = safetensors.numpy.load_file(path)
    path.write_bytes(safetensors.numpy.save(arrays, {"hashret": json.dumps(card | change)}))
    with pytest.raises(FormatError, match="names"):
        load_encoder(path)


def test_codes_come_as_a_table_where_scikit_learn_is_told_so(kind, frame):
    encoder = kind(9).fit(frame)
    codes = encoder.transform(frame)
    named = clone(encoder).set_output(transform="pandas").fit(frame).transform(frame)
    assert list(named.columns) == list(encoder.get_feature_names_out())
    assert list(named.index) == list(frame.index)
    np.testing.assert_array_equal(named.to_numpy(), codes)
    assert named.to_numpy().dtype == np.uint8


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("RandomProjectionLSH", [13, 84, 4, 226, 249, 187, 64, 20, 226, 226, 251, 13]),
        ("PCAHashing", [16, 96, 112, 192, 176, 176, 96, 96, 192, 192, 176, 16]),
        ("ITQ", [240, 144, 80, 32, 224, 224, 144, 144, 32, 32, 224, 240]),
        ("ResidualITQ", [32, 96, 240, 144, 0, 16, 96, 96, 144, 144, 0, 32]),
        ("SpectralHashing", [240, 160, 128, 48, 96, 96, 160, 160, 48, 48, 96, 240]),
    ],
)
def test_files_of_the_first_release_are_read_and_encode_as_then(name: str, codes):
    encoder = load_encoder(Path(__file__).parent / "golden" / f"{name}-v1.safetensors")
    rows = np.arange(60).reshape(12, 5) * 7 % 11
    assert encoder.transform(rows).ravel().tolist() == codes
    assert type(encoder).__name__ == name


# --- every encoder of the package ------------------------------------------------

PUBLIC = [
    name
    for name in encoders.__all__
    if isinstance(getattr(encoders, name), type) and name != "Encoder"
]


def test_all_classes_are_public():
    assert {cls.__name__ for cls in encoders.Encoder.__subclasses__()} >= set(PUBLIC)
    ours = [cls for cls in encoders.Encoder.__subclasses__() if cls.__module__[:8] == "hashret."]
    assert {cls.__name__ for cls in ours} == set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_it_is_in_the_map_the_benchmark_the_tests_and_the_golden_files(name):
    cls = getattr(encoders, name)
    assert cls.__module__ in encoders.__doc__, "the map in hashret/encoders/__init__.py"
    every = [*METHODS.values(), *TWO_PARTS.values()]
    compared = {method.encoder for method in every if isinstance(method, (Classic, TwoPart))}
    assert name in compared, "METHODS in hashret/methods.py"
    assert any(type(make(4)) is cls for make in KINDS.values()), "KINDS above"
    golden = Path(__file__).parent / "golden" / f"{name}-v1.safetensors"
    assert golden.exists(), "a file that later versions must read"
