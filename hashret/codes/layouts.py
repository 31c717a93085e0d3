"""The same bits in the layouts of other systems: words of 64 bits, LSB first, int8."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import as_array
from ..errors import DTypeError, ShapeError
from ..types import Codes
from .packed import as_codes, check_bits, is_list_of_ints, unpack

__all__ = ["from_int8", "from_lsb_first", "from_words", "to_int8", "to_lsb_first", "to_words"]


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
    """Return the packed bytes of uint64 words; the inverse of :func:`to_words`.

    Words of hashes as ``int(text, 16)`` gives them are not these: see :func:`from_ints`.

    Examples
    --------
    >>> from_words([[513]], bits=16)
    array([[1, 2]], dtype=uint8)
    """
    if is_list_of_ints(words):
        words = _as_words(words)
    return as_codes(words, bits, "words")


def _as_words(words: Any) -> npt.NDArray[np.uint64]:
    """Return lists of whole numbers as uint64, whatever numpy would make of their values."""
    rows = [list(row) if isinstance(row, (list, tuple)) else [row] for row in words]
    if len({len(row) for row in rows}) > 1:
        raise ShapeError("words: expected rows of one length")
    for value in (value for row in rows for value in row):
        if type(value) is not int or not 0 <= value < 2**64:
            raise DTypeError(f"words: expected whole numbers of 64 bits, got {value!r}")
    return np.array(rows, np.uint64)


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
    # Checked as codes of whole bytes first: unused bits are at the other end here.
    array = as_codes(codes, (bits + 7) // 8 * 8)
    return as_codes(np.packbits(np.unpackbits(array, axis=1, bitorder="little"), axis=1), bits)


def to_int8(codes: npt.ArrayLike, bits: int) -> npt.NDArray[np.int8]:
    """View packed codes as int8, as Vespa stores them."""
    return as_codes(codes, bits).view(np.int8)


def from_int8(values: npt.ArrayLike, bits: int) -> Codes:
    """Return the packed codes of int8, as Vespa stores them; the inverse of :func:`to_int8`.

    Examples
    --------
    >>> from_int8(np.array([[-112]], np.int8), bits=4)
    array([[144]], dtype=uint8)
    """
    array = as_array("values", values)
    if array.dtype.kind == "i" and array.size and is_list_of_ints(values):
        if array.min() < -128 or array.max() > 127:
            raise DTypeError(f"values: expected -128..127, got {array.min()}..{array.max()}")
        array = array.astype(np.int8)
    if array.dtype != np.int8:
        raise DTypeError(f"values: expected int8, got {array.dtype}")
    return as_codes(array.view(np.uint8), bits, "values")
