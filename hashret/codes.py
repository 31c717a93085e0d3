"""Binary codes: packing, unpacking and conversion to other systems.

A code of ``bits`` bits (1 to 4096) is a row of ``ceil(bits / 8)`` bytes. Bit
``j`` is ``byte[j // 8] & (0x80 >> (j % 8))``, exactly what
``numpy.packbits(x > 0, axis=1)`` gives; the unused bits of the last byte are
zero. sentence-transformers (``ubinary``), usearch (``b1``), pgvector
(``bit(n)``) and MongoDB use the same bytes. faiss and sqlite-vec number bits
from the least significant end: see :func:`to_lsb_first`. Vespa stores the same
bytes as ``int8``: see :func:`to_int8`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import _native
from .errors import CodeError, DTypeError, ParameterError, ShapeError

__all__ = [
    "MAX_BITS",
    "as_codes",
    "distance_histogram",
    "from_lsb_first",
    "from_words",
    "hamming_distances",
    "pack",
    "to_int8",
    "to_lsb_first",
    "to_words",
    "unpack",
]

MAX_BITS = 4096
# Compared by itself: to make a dtype of a type takes longer.
_UINT8 = np.dtype(np.uint8)

Codes = npt.NDArray[np.uint8]


def check_bits(bits: Any) -> int:
    """Return `bits` as an int, or raise if it is not a whole number in 1..4096."""
    if isinstance(bits, bool) or not isinstance(bits, (int, np.integer)):
        raise DTypeError(f"bits: expected an int, got {type(bits).__name__}")
    if not 1 <= bits <= MAX_BITS:
        raise ParameterError(f"bits: expected 1 to {MAX_BITS}, got {bits}")
    return int(bits)


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
    array = np.asarray(values)
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
        uint8 (n, ceil(bits / 8)), or uint64 (n, ceil(bits / 64)) words, little-endian.
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
        isinstance(codes, np.ndarray)
        and codes.dtype == _UINT8
        and codes.ndim == 2
        and codes.shape[1] * 8 == bits
        and codes.flags.c_contiguous
        and 0 < bits <= MAX_BITS
    ):
        return codes  # the common case, for the sake of single queries
    bits = check_bits(bits)
    array = np.asarray(codes)
    width, words = (bits + 7) // 8, (bits + 63) // 64
    if array.dtype != np.uint8 and array.dtype != np.uint64:
        if isinstance(codes, (list, tuple)) and array.dtype.kind in "iu" and array.size:
            array = _small_ints(array, name)
        else:
            raise DTypeError(_expected(name, bits, array))
    columns = width if array.dtype == np.uint8 else words
    if array.ndim != 2 or array.shape[1] != columns:
        raise ShapeError(_expected(name, bits, array))
    if array.dtype == np.uint64:
        # Past the packed width a word holds padding, which must be zero too.
        as_bytes = np.ascontiguousarray(array, dtype="<u8").view(np.uint8)
        if as_bytes[:, width:].any():
            raise CodeError(f"{name}: bits past bit {bits - 1} must be zero")
        array = as_bytes[:, :width]
    array = np.ascontiguousarray(array)
    if bits % 8 and (array[:, -1] & (0xFF >> (bits % 8))).any():
        raise CodeError(f"{name}: bits past bit {bits - 1} must be zero")
    return array


def to_words(codes: npt.ArrayLike, bits: int) -> npt.NDArray[np.uint64]:
    """View packed codes as little-endian uint64 words, shape (n, ceil(bits / 64)).

    Examples
    --------
    >>> to_words([[1, 2]], bits=16)
    array([[513]], dtype=uint64)
    """
    packed = as_codes(codes, bits)
    padded = np.zeros((len(packed), (bits + 63) // 64 * 8), np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded.view("<u8").astype(np.uint64, copy=False)


def from_words(words: npt.ArrayLike, bits: int) -> Codes:
    """Return the packed bytes of uint64 words; the inverse of :func:`to_words`."""
    return as_codes(words, bits, "words")


def to_lsb_first(codes: npt.ArrayLike, bits: int) -> Codes:
    """Reverse the bits within each byte: the form of faiss and sqlite-vec.

    Examples
    --------
    >>> to_lsb_first([[0b10010000]], bits=8)
    array([[9]], dtype=uint8)
    """
    return np.packbits(unpack(codes, bits), axis=1, bitorder="little")


def from_lsb_first(codes: npt.ArrayLike, bits: int) -> Codes:
    """Return packed codes from faiss's or sqlite-vec's bit order."""
    bits = check_bits(bits)
    array = np.asarray(codes, dtype=np.uint8)
    if array.ndim != 2 or array.shape[1] != (bits + 7) // 8:
        raise ShapeError(_expected("codes", bits, array))
    return as_codes(np.packbits(np.unpackbits(array, axis=1, bitorder="little"), axis=1), bits)


def to_int8(codes: npt.ArrayLike, bits: int) -> npt.NDArray[np.int8]:
    """View packed codes as int8, as Vespa stores them."""
    return as_codes(codes, bits).view(np.int8)


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


def _small_ints(array: npt.NDArray[Any], name: str) -> Codes:
    if array.min() < 0 or array.max() > 255:
        raise DTypeError(f"{name}: expected bytes in 0..255, got {array.min()}..{array.max()}")
    return array.astype(np.uint8)


def _expected(name: str, bits: int, array: npt.NDArray[Any]) -> str:
    return (
        f"{name}: expected uint8 (n, {(bits + 7) // 8}) or uint64 (n, {(bits + 63) // 64}) "
        f"for {bits}-bit codes, got {array.dtype} {array.shape}"
    )
