"""Hashes as whole numbers and in hexadecimal: the first bit is the most significant one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashret import CodeError, DTypeError, Index, ParameterError, ShapeError, codes

# What imagehash prints for a picture, its bits, and the bytes of numpy.packbits.
TEXT = "8f373714acfcf4d0"
PACKED = [0x8F, 0x37, 0x37, 0x14, 0xAC, 0xFC, 0xF4, 0xD0]

BITS = st.integers(1, 4096) | st.sampled_from([1, 4, 7, 8, 12, 16, 63, 64, 65, 128, 256])


@st.composite
def hashes(draw):
    bits = draw(BITS)
    return bits, draw(st.lists(st.integers(0, 2**bits - 1), max_size=5))


def bits_of(numbers, bits):
    return np.array([[c == "1" for c in f"{n:0{bits}b}"] for n in numbers], bool).reshape(-1, bits)


@settings(max_examples=150, deadline=None)
@given(hashes())
def test_numbers_and_text_are_the_bits_they_are_written_with(drawn):
    bits, numbers = drawn
    packed = np.packbits(bits_of(numbers, bits), axis=1)
    texts = [f"{number:0{(bits + 3) // 4}x}" for number in numbers]
    for made in (codes.from_ints(numbers, bits), codes.from_hex(texts, bits)):
        assert made.dtype == np.uint8
        assert made.shape == (len(numbers), (bits + 7) // 8)
        assert (made == packed).all()
        assert codes.as_codes(made, bits) is not None
    assert codes.to_hex(packed, bits) == texts
    assert codes.to_ints(packed, bits).tolist() == numbers
    assert codes.from_hex(["0X" + text.upper() for text in texts], bits).tolist() == packed.tolist()
    signed = codes.to_ints(packed, bits, signed=True)
    assert signed.tolist() == [n - 2**bits if n >> (bits - 1) else n for n in numbers]
    assert (codes.from_ints(signed, bits) == packed).all()
    assert (codes.from_ints(signed.tolist(), bits) == packed).all()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 64),
    st.lists(st.integers(-(2**63), 2**64 - 1), max_size=5),
    st.sampled_from(["i8", "u8", ">i8", ">u8", "i4", "u2", "i1"]),
)
def test_arrays_are_as_lists(bits, numbers, dtype):
    """Taken alike, or refused alike."""
    info = np.iinfo(dtype)
    values = np.array([n for n in numbers if info.min <= n <= info.max], dtype)
    fits = all(-(2 ** (bits - 1)) <= int(v) < 2**bits for v in values)
    for given_values in (values, values.tolist(), tuple(values), values.astype(object)):
        if fits:
            made = codes.from_ints(given_values, bits)
            assert codes.to_ints(made, bits).tolist() == [int(v) % 2**bits for v in values]
        else:
            with pytest.raises(CodeError, match=f"does not fit {bits} bits"):
                codes.from_ints(given_values, bits)


def test_one_hash_in_every_form():
    assert codes.from_hex([TEXT], 64).tolist() == [PACKED]
    assert codes.from_ints(np.array([int(TEXT, 16)], np.uint64), 64).tolist() == [PACKED]
    column = np.array([int(TEXT, 16) - 2**64], np.int64)  # of a database
    assert codes.from_ints(column, 64).tolist() == [PACKED]
    index = Index(64)
    index.add(codes.from_hex([TEXT], 64))
    assert index.search(codes.from_ints(column, 64), 1)[0].item() == 0
    assert codes.to_ints([PACKED], 64).dtype == np.uint64
    assert codes.to_ints([PACKED], 64, signed=True).dtype == np.int64


def test_codes_of_imagehash():
    """It writes a matrix of booleans row by row, the first one as the most significant bit."""
    rng = np.random.default_rng(0)
    matrix = rng.random((8, 8)) > 0.5
    text = f"{int(''.join(str(int(b)) for b in matrix.ravel()), 2):016x}"
    assert codes.from_hex([text], 64).tolist() == codes.pack(matrix.reshape(1, -1)).tolist()


def test_series_of_text_and_numbers():
    pandas = pytest.importorskip("pandas")
    assert codes.from_hex(pandas.Series([TEXT]), 64).tolist() == [PACKED]
    assert codes.from_hex(np.array([TEXT]), 64).tolist() == [PACKED]
    column = pandas.Series([int(TEXT, 16)], dtype="uint64")
    assert codes.from_ints(column, 64).tolist() == [PACKED]
    torch = pytest.importorskip("torch")
    assert codes.from_ints(torch.tensor([-1]), 8).tolist() == [[255]]


@pytest.mark.parametrize(
    "text",
    ["", "0x", "8f373714acfcf4d", TEXT + "0", "-" + TEXT[1:], "+" + TEXT[1:], " " + TEXT[1:],
     TEXT[:-1] + "\n", TEXT[:3] + "_" + TEXT[4:], "g" * 16, "\u0661" * 16, "0x0x" + TEXT[4:]],
)  # fmt: skip
def test_other_text_is_refused(text):
    with pytest.raises(CodeError, match=r"texts: expected 16 hexadecimal digits .* in row 1"):
        codes.from_hex([TEXT, text], 64)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: codes.from_hex(TEXT, 64), ShapeError, "write \\[text\\]"),
        (lambda: codes.from_hex([b"ff"], 8), DTypeError, "expected str, got bytes in row 0"),
        (lambda: codes.from_hex([None], 8), DTypeError, "got NoneType in row 0"),
        (lambda: codes.from_hex([["ff"]], 8), DTypeError, "got list in row 0"),
        (lambda: codes.from_hex(None, 8), DTypeError, "texts"),
        (lambda: codes.from_hex(iter(["ff"]), 8), DTypeError, "texts"),
        (lambda: codes.from_hex([TEXT], 0), ParameterError, "bits"),
        (lambda: codes.from_hex(["8"], 3), CodeError, "does not fit 3 bits"),
        (lambda: codes.from_ints(5, 8), ShapeError, "values"),
        (lambda: codes.from_ints([[5]], 8), ShapeError, "values"),
        (lambda: codes.from_ints(np.array([[5]]), 8), ShapeError, "values"),
        (lambda: codes.from_ints([5.0], 8), DTypeError, "got float in row 0"),
        (lambda: codes.from_ints([True], 8), DTypeError, "got bool in row 0"),
        (lambda: codes.from_ints(np.array([5.0]), 8), DTypeError, "got float64"),
        (lambda: codes.from_ints(["5"], 8), DTypeError, "got str in row 0"),
        (lambda: codes.from_ints([0, 256], 8), CodeError, "in row 1 does not fit 8 bits"),
        (lambda: codes.from_ints([0, -129], 8), CodeError, "in row 1 does not fit 8 bits"),
        (lambda: codes.from_ints([2**256], 256), CodeError, "in row 0 does not fit 256 bits"),
        (lambda: codes.from_int8([[200]], 8), DTypeError, "expected -128..127"),
        (lambda: codes.from_int8(np.zeros((1, 1)), 8), DTypeError, "expected int8, got float64"),
    ],
)
def test_other_numbers_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@given(st.lists(st.lists(st.integers(0, 255), min_size=3, max_size=3), min_size=1, max_size=4))
def test_int8_there_and_back(rows):
    packed = np.array(rows, np.uint8)
    assert (codes.from_int8(codes.to_int8(packed, 24), 24) == packed).all()
    assert (codes.from_int8(codes.to_int8(packed, 24).tolist(), 24) == packed).all()


def test_none_of_it_needs_a_number():
    for made in (codes.from_ints([], 12), codes.from_hex([], 16), codes.from_hex([], 12)):
        assert made.shape == (0, 2)
    assert codes.from_ints(np.zeros(0, np.int64), 64).shape == (0, 8)
    assert codes.to_hex(np.zeros((0, 2), np.uint8), 12) == []
    assert codes.to_ints(np.zeros((0, 32), np.uint8), 256).tolist() == []


def test_scalars_of_numpy_are_numbers_whatever_their_types():
    mixed = [np.uint64(2**64 - 1), np.int64(-1), np.int8(-1), 2**64 - 1]
    np.testing.assert_array_equal(codes.from_ints(mixed, 64), np.full((4, 8), 255))
    for nothing in ([], np.array([]), np.array([], object)):
        assert codes.from_ints(nothing, 64).shape == (0, 8)
