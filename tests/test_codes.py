"""Packing, and the golden bytes of each system's bit order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hashret import CodeError, DTypeError, ParameterError, ShapeError, codes

# Bits 0, 3 and 9 of a 12-bit code.
BITS = np.zeros((1, 12), bool)
BITS[0, [0, 3, 9]] = True


def test_packed_bytes_are_those_of_numpy_and_of_ubinary():
    np.testing.assert_array_equal(codes.pack(BITS), [[0b10010000, 0b01000000]])


def test_faiss_bytes_are_lsb_first():
    np.testing.assert_array_equal(
        codes.to_lsb_first(codes.pack(BITS), 12), [[0b00001001, 0b00000010]]
    )
    np.testing.assert_array_equal(
        codes.from_lsb_first([[0b00001001, 0b00000010]], 12), codes.pack(BITS)
    )


def test_vespa_bytes_are_int8():
    signed = codes.to_int8(codes.pack(BITS), 12)
    assert signed.dtype == np.int8
    np.testing.assert_array_equal(signed, [[0b10010000 - 256, 0b01000000]])


def test_words_are_the_little_endian_view():
    words = codes.to_words(codes.pack(BITS), 12)
    assert words.dtype == np.uint64
    assert words[0, 0] == 0b01000000 << 8 | 0b10010000


@given(hnp.arrays(bool, st.tuples(st.integers(0, 5), st.integers(1, 200))))
def test_round_trips(plain):
    bits = plain.shape[1]
    packed = codes.pack(plain)
    np.testing.assert_array_equal(codes.unpack(packed, bits), plain)
    np.testing.assert_array_equal(codes.from_words(codes.to_words(packed, bits), bits), packed)
    np.testing.assert_array_equal(
        codes.from_lsb_first(codes.to_lsb_first(packed, bits), bits), packed
    )


def test_zero_is_not_positive():
    np.testing.assert_array_equal(codes.pack([[0.0, -0.0, 1e-30, -1.0, np.inf]]), [[0b00101000]])


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ([[np.nan, 1.0]], CodeError, "values: NaN in row 0"),
        ([1.0, 2.0], ShapeError, r"values: expected \(n, bits\)"),
        (np.zeros((3, 0)), ShapeError, "values: expected"),
        (np.zeros((1, 4097)), ShapeError, "values: expected"),
        ([["a"]], DTypeError, "values: expected real numbers"),
        ([[1j]], DTypeError, "values: expected real numbers"),
    ],
)
def test_bad_values(values, error, message):
    with pytest.raises(error, match=message):
        codes.pack(values)


@pytest.mark.parametrize(
    ("given_codes", "bits", "error", "message"),
    [
        (
            np.zeros((1, 3), np.int64),
            64,
            DTypeError,
            r"expected uint8 \(n, 8\).*got int64 \(1, 3\)",
        ),
        (
            np.zeros((1, 3), np.uint8),
            64,
            ShapeError,
            r"expected uint8 \(n, 8\).*got uint8 \(1, 3\)",
        ),
        (np.zeros(8, np.uint8), 64, ShapeError, r"got uint8 \(8,\)"),
        (np.zeros((2, 2), np.uint64), 64, ShapeError, r"uint64 \(n, 1\)"),
        ([[1]], 7, CodeError, "bits past bit 6 must be zero"),
        (np.array([[1 << 40]], np.uint64), 16, CodeError, "bits past bit 15 must be zero"),
        ([[256]], 8, DTypeError, "bytes in 0..255"),
        ([[0]], 0, ParameterError, "bits: expected 1 to 4096, got 0"),
        ([[0]], 4097, ParameterError, "bits: expected 1 to 4096"),
        ([[0]], 8.0, DTypeError, "bits: expected an int"),
        ([[0]], True, DTypeError, "bits: expected an int"),
    ],
)
def test_bad_codes(given_codes, bits, error, message):
    with pytest.raises(error, match=message):
        codes.as_codes(given_codes, bits)


def test_other_layouts_are_copied():
    plain = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for view in (plain[::2], plain[:, ::-1], np.asfortranarray(plain)):
        result = codes.as_codes(view, 64)
        assert result.flags.c_contiguous
        np.testing.assert_array_equal(result, view)
    assert codes.as_codes(plain, 64) is plain
