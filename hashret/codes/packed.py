"""Packed codes: made of values, checked, unpacked and compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _native
from ..checks import all_ints, as_array, as_integers, check_int
from ..errors import CodeError, DTypeError, ParameterError, ShapeError
from ..types import Codes

__all__ = [
    "MAX_BITS",
    "as_codes",
    "check_bits",
    "distance_histogram",
    "hamming_distances",
    "is_list_of_ints",
    "pack",
    "unpack",
]

MAX_BITS = 4096
# Compared by itself: to make a dtype of a type takes longer.
_UINT8 = np.dtype(np.uint8)


def check_bits(bits: int) -> int:
    """Return `bits` as an int, or raise if it is not a whole number in 1..4096."""
    bits = check_int("bits", bits)
    if not 1 <= bits <= MAX_BITS:
        raise ParameterError(f"bits: expected 1 to {MAX_BITS}, got {bits}")
    return bits


def pack(values: npt.ArrayLike) -> Codes:
    """Pack real values or booleans into codes: a bit is 1 where the value is > 0.

    Parameters
    ----------
    values : array_like, shape (n, bits)
        Real-valued outputs, margins or booleans.

    Returns
    -------
    codes : ndarray of uint8, shape (n, ceil(bits / 8))

    Raises
    ------
    ShapeError
        If `values` is not two-dimensional or has no or more than 4096 columns.
    CodeError
        If a value is NaN.

    Examples
    --------
    >>> pack([[0.5, -1.0, 0.0, 2.0]])
    array([[144]], dtype=uint8)
    """
    array = as_array("values", values)
    if array.ndim != 2 or not 1 <= array.shape[1] <= MAX_BITS:
        raise ShapeError(
            f"values: expected (n, bits) with 1 to {MAX_BITS} bits, got shape {array.shape}"
        )
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"values: expected real numbers or booleans, got {array.dtype}")
    if array.dtype.kind == "f" and np.isnan(array).any():
        row = int(np.flatnonzero(np.isnan(array).any(axis=1))[0])
        raise CodeError(f"values: NaN in row {row}")
    return np.packbits(array > 0, axis=1)


def unpack(codes: npt.ArrayLike, bits: int) -> npt.NDArray[np.bool_]:
    """Unpack codes into booleans, shape (n, bits); the inverse of :func:`pack`.

    Examples
    --------
    >>> unpack([[144]], bits=4)
    array([[ True, False, False,  True]])
    """
    packed = as_codes(codes, bits)
    return np.unpackbits(packed, axis=1, count=bits).astype(bool)


def as_codes(codes: npt.ArrayLike, bits: int, name: str = "codes") -> Codes:
    """Check codes in packed or word form and return them packed and contiguous.

    Parameters
    ----------
    codes : array_like
        uint8 (n, ceil(bits / 8)), or uint64 (n, ceil(bits / 64)) words, little-endian: a word
        is what :func:`to_words` returns, not ``int(text, 16)``, for which there is
        :func:`from_ints`. Whole numbers in lists are bytes.
    bits : int
        Length of a code.
    name : str
        How the argument is called in error messages.

    Returns
    -------
    codes : ndarray of uint8, shape (n, ceil(bits / 8)), C-contiguous
        The same memory if it already has this form.

    Raises
    ------
    DTypeError, ShapeError
        If dtype or width do not fit `bits`.
    CodeError
        If a bit past the last one is set.
    """
    if (
        type(codes) is np.ndarray
        and codes.dtype == _UINT8
        and codes.ndim == 2
        and codes.shape[1] * 8 == bits
        and codes.flags.c_contiguous
        and 0 < bits <= MAX_BITS
    ):
        return codes  # the common case, for the sake of single queries
    bits = check_bits(bits)
    array = as_integers(name, codes)
    width, words = (bits + 7) // 8, (bits + 63) // 64
    if array.size and is_list_of_ints(codes):
        array = _small_ints(array, name)
    is_word = array.dtype.kind == "u" and array.dtype.itemsize == 8  # of either byte order
    if array.dtype != np.uint8 and not is_word:
        raise DTypeError(_expected(name, bits, array))
    if array.ndim != 2 or array.shape[1] != (words if is_word else width):
        raise ShapeError(_expected(name, bits, array))
    if is_word:
        # Past the packed width a word holds padding, which must be zero too.
        as_bytes = np.ascontiguousarray(array, dtype="<u8").view(np.uint8)
        if as_bytes[:, width:].any():
            raise CodeError(f"{name}: bits past bit {bits - 1} must be zero")
        array = as_bytes[:, :width]
    array = np.ascontiguousarray(array)
    if bits % 8 and (array[:, -1] & (0xFF >> (bits % 8))).any():
        raise CodeError(f"{name}: bits past bit {bits - 1} must be zero")
    return array


def is_list_of_ints(codes: object) -> bool:
    """Whether these are nested lists of plain numbers, which say nothing about their width."""
    first = codes
    while isinstance(first, (list, tuple)) and len(first):
        first = first[0]
    return isinstance(codes, (list, tuple)) and not hasattr(first, "dtype")


def _small_ints(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Return whole numbers as bytes; what else lists held stays as it is."""
    if array.dtype.kind not in "iu" and not all_ints(array):
        return array
    if array.min() < 0 or array.max() > 255:
        raise DTypeError(
            f"{name}: expected bytes in 0..255, got {array.min()}..{array.max()}; "
            "codes.from_ints takes hashes that are whole numbers"
        )
    return array.astype(np.uint8)


def _expected(name: str, bits: int, array: npt.NDArray[Any]) -> str:
    return (
        f"{name}: expected uint8 (n, {(bits + 7) // 8}) or uint64 (n, {(bits + 63) // 64}) "
        f"for {bits}-bit codes, got {array.dtype} {array.shape}{_way_out(array)}"
    )


def _way_out(array: npt.NDArray[Any]) -> str:
    """Name what makes codes of arrays like this one."""
    if array.dtype == np.int8 and array.ndim == 2:
        return "; codes.from_int8 takes bytes as Vespa stores them"
    if array.dtype.kind in "iu" and array.dtype != np.uint8:
        return "; codes.from_ints takes hashes that are whole numbers, such as int(text, 16)"
    if array.dtype.kind in "US":
        return "; codes.from_hex takes hashes in hexadecimal"
    if array.dtype.kind in "bf":
        return "; codes.pack takes a real number or boolean a bit"
    return ""


def hamming_distances(
    queries: npt.ArrayLike, codes: npt.ArrayLike, bits: int
) -> npt.NDArray[np.uint16]:
    """Compute all Hamming distances, uint16 (n_queries, n_codes).

    Examples
    --------
    >>> hamming_distances([[0b1100]], [[0b1100], [0b0011]], bits=8)
    array([[0, 4]], dtype=uint16)
    """
    left, right = as_codes(queries, bits, "queries"), as_codes(codes, bits)
    out = np.empty((len(left), len(right)), np.uint16)
    _native.distances(left, len(left), right, len(right), bits, out)
    return out


def distance_histogram(
    queries: npt.ArrayLike, codes: npt.ArrayLike, bits: int
) -> npt.NDArray[np.int64]:
    """Count, for each query, the codes at each distance: int64 (n_queries, bits + 1).

    Examples
    --------
    >>> distance_histogram([[0b1000]], [[0b1000], [0b0000], [0b0001]], bits=4 + 4)
    array([[1, 1, 1, 0, 0, 0, 0, 0, 0]])
    """
    left, right = as_codes(queries, bits, "queries"), as_codes(codes, bits)
    out = np.empty((len(left), bits + 1), np.int64)
    _native.histogram(left, len(left), right, len(right), bits, out)
    return out
