"""Binary codes: packing, unpacking and conversion to other systems.

A code of ``bits`` bits (1 to 4096) is a row of ``ceil(bits / 8)`` bytes. Bit
``j`` is ``byte[j // 8] & (0x80 >> (j % 8))``, exactly what
``numpy.packbits(x > 0, axis=1)`` gives; the unused bits of the last byte are
zero. sentence-transformers (``ubinary``), usearch (``b1``), pgvector
(``bit(n)``) and MongoDB use the same bytes. faiss and sqlite-vec number bits
from the least significant end: see :func:`to_lsb_first`. Vespa stores the same
bytes as ``int8``: see :func:`to_int8` and :func:`from_int8`.

Perceptual hashes often come as text or as whole numbers whose first bit is the
most significant one, as imagehash and pHash write them and databases keep them
in signed columns of 64 bits: see :func:`from_hex` and :func:`from_ints`. Such a
number is not a *word*: words are packed bytes viewed as little-endian uint64, so
that ``int(text, 16)`` in an array of uint64 would be read from its other end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _native
from .checks import all_ints, as_array, as_integers, check_int
from .errors import CodeError, DTypeError, ParameterError, ShapeError
from .types import Codes

__all__ = [
    "MAX_BITS",
    "as_codes",
    "distance_histogram",
    "from_hex",
    "from_int8",
    "from_ints",
    "from_lsb_first",
    "from_words",
    "hamming_distances",
    "pack",
    "to_hex",
    "to_int8",
    "to_ints",
    "to_lsb_first",
    "to_words",
    "unpack",
]

MAX_BITS = 4096
HEX = re.compile("[0-9a-fA-F]*")
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
    if array.size and _is_list_of_ints(codes):
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
    if _is_list_of_ints(words):
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
    if array.dtype.kind == "i" and array.size and _is_list_of_ints(values):
        if array.min() < -128 or array.max() > 127:
            raise DTypeError(f"values: expected -128..127, got {array.min()}..{array.max()}")
        array = array.astype(np.int8)
    if array.dtype != np.int8:
        raise DTypeError(f"values: expected int8, got {array.dtype}")
    return as_codes(array.view(np.uint8), bits, "values")


# -- hashes as whole numbers and as text ---------------------------------------------------


def from_ints(values: npt.ArrayLike | Sequence[int], bits: int) -> Codes:
    """Return the packed codes of hashes that are whole numbers, first bit most significant.

    ``int(text, 16)`` of a hash in hexadecimal gives such a number, and a signed column of a
    database holds it in two's complement.

    Parameters
    ----------
    values : array_like of int, shape (n,)
        From ``-2**(bits - 1)`` to ``2**bits - 1``: a negative one is its two's complement.
        An array of 64-bit integers of either sign, or Python ints of any length.
    bits : int
        Length of a code.

    Returns
    -------
    codes : ndarray of uint8, shape (n, ceil(bits / 8))

    Raises
    ------
    ShapeError, DTypeError
        If `values` is not one-dimensional, or not whole numbers.
    CodeError
        If a value does not fit `bits`.

    Examples
    --------
    >>> from_ints([0x8F373714ACFCF4D0], bits=64)
    array([[143,  55,  55,  20, 172, 252, 244, 208]], dtype=uint8)
    >>> from_ints(np.array([-1]), bits=12)
    array([[255, 240]], dtype=uint8)
    """
    bits = check_bits(bits)
    numbers = _as_numbers(values)
    if not isinstance(numbers, np.ndarray) or bits > 64:
        return _from_python_ints([int(number) for number in numbers], bits)
    _check_range(numbers, bits)
    shifted = numbers.astype(np.uint64) << np.uint64(64 - bits)
    packed = shifted.astype(">u8").view(np.uint8).reshape(-1, 8)
    return np.ascontiguousarray(packed[:, : (bits + 7) // 8])


def to_ints(codes: npt.ArrayLike, bits: int, *, signed: bool = False) -> npt.NDArray[Any]:
    """Return codes as whole numbers, first bit most significant; the inverse of `from_ints`.

    Parameters
    ----------
    codes : array_like
        As for :func:`as_codes`.
    bits : int
        Length of a code.
    signed : bool
        In two's complement, as for a signed column of a database.

    Returns
    -------
    values : ndarray, shape (n,)
        uint64, or int64 if `signed`; beyond 64 bits Python ints.

    Examples
    --------
    >>> to_ints([[255, 240]], bits=12), to_ints([[255, 240]], bits=12, signed=True)
    (array([4095], dtype=uint64), array([-1]))
    """
    packed = as_codes(codes, bits)
    if bits > 64:
        numbers = [int.from_bytes(row.tobytes()) >> -bits % 8 for row in packed]
        if signed:
            numbers = [n - (1 << bits) if n >> (bits - 1) else n for n in numbers]
        out = np.empty(len(numbers), object)
        out[:] = numbers
        return out
    padded = np.zeros((len(packed), 8), np.uint8)
    padded[:, : packed.shape[1]] = packed
    words = padded.view(">u8").ravel().astype(np.uint64)
    # The shift of a signed number repeats its sign.
    return words.view(np.int64) >> (64 - bits) if signed else words >> np.uint64(64 - bits)


def from_hex(texts: Sequence[str] | npt.NDArray[Any], bits: int) -> Codes:
    """Return the packed codes of hashes in hexadecimal, first bit most significant.

    Parameters
    ----------
    texts : sequence of str
        Each of ``ceil(bits / 4)`` digits of either case, with or without ``0x``.
    bits : int
        Length of a code.

    Returns
    -------
    codes : ndarray of uint8, shape (n, ceil(bits / 8))

    Raises
    ------
    ShapeError, DTypeError
        If `texts` is not a sequence of text.
    CodeError
        If a text has other digits, or more or fewer, or does not fit `bits`.

    Examples
    --------
    >>> from_hex(["8f373714acfcf4d0"], bits=64)
    array([[143,  55,  55,  20, 172, 252, 244, 208]], dtype=uint8)
    """
    bits = check_bits(bits)
    digits = [_digits(text, row, bits) for row, text in enumerate(_as_texts(texts))]
    if bits % 8:
        return _from_python_ints([int(text, 16) for text in digits], bits, "texts")
    return np.frombuffer(bytearray.fromhex("".join(digits)), np.uint8).reshape(-1, bits // 8)


def to_hex(codes: npt.ArrayLike, bits: int) -> list[str]:
    """Return codes in hexadecimal, ``ceil(bits / 4)`` digits each; the inverse of `from_hex`.

    Examples
    --------
    >>> to_hex([[255, 240]], bits=12)
    ['fff']
    """
    width = (bits + 3) // 4
    return [f"{number:0{width}x}" for number in to_ints(codes, bits).tolist()]


def _as_numbers(values: Any) -> npt.NDArray[Any] | list[int]:
    """Return an array of integers of at most 64 bits, or Python ints."""
    if isinstance(values, (list, tuple)) and not any(_is_foreign(v) for v in values):
        # numpy would make floats of ints of both signs
        numbers = [int(v) if isinstance(v, np.integer) else v for v in values]
    else:
        array = as_array("values", values)
        if array.ndim != 1:
            raise ShapeError(f"values: expected one dimension, got shape {array.shape}")
        if not array.size:
            return np.empty(0, np.int64)  # numpy makes [] a float array, pandas one of objects
        if array.dtype.kind in "iu":
            return array
        if array.dtype != object:
            raise DTypeError(f"values: expected whole numbers, got {array.dtype}")
        numbers = array.tolist()
    for row, number in enumerate(numbers):
        if isinstance(number, (list, tuple)):
            raise ShapeError("values: expected one dimension, got lists in a list")
        if isinstance(number, bool) or not isinstance(number, int):
            raise DTypeError(
                f"values: expected whole numbers, got {type(number).__name__} in row {row}"
            )
    return numbers


def _is_foreign(value: Any) -> bool:
    """Whether it is an array of another library, which may be of one number."""
    return hasattr(value, "dtype") and not isinstance(value, np.generic)


def _check_range(numbers: npt.NDArray[Any], bits: int) -> None:
    if not len(numbers):
        return
    for value in (int(numbers.min()), int(numbers.max())):
        if not -(1 << (bits - 1)) <= value < 1 << bits:
            row = int(np.flatnonzero(numbers == value)[0])
            raise CodeError(f"values: {value} in row {row} does not fit {bits} bits")


def _from_python_ints(numbers: list[int], bits: int, name: str = "values") -> Codes:
    width = (bits + 7) // 8
    out = bytearray()
    for row, number in enumerate(numbers):
        if not -(1 << (bits - 1)) <= number < 1 << bits:
            raise CodeError(f"{name}: {number:#x} in row {row} does not fit {bits} bits")
        out += (number % (1 << bits) << -bits % 8).to_bytes(width)
    return np.frombuffer(out, np.uint8).reshape(-1, width)


def _as_texts(texts: Any) -> list[Any]:
    if isinstance(texts, str):
        raise ShapeError("texts: expected a sequence of str, got one; write [text]")
    if isinstance(texts, (list, tuple)):
        return list(texts)
    array = as_array("texts", texts)
    if array.ndim != 1:
        raise ShapeError(f"texts: expected one dimension, got shape {array.shape}")
    return list(array.tolist())


def _digits(text: Any, row: int, bits: int) -> str:
    if not isinstance(text, str):
        raise DTypeError(f"texts: expected str, got {type(text).__name__} in row {row}")
    digits, width = text.removeprefix("0x").removeprefix("0X"), (bits + 3) // 4
    # int and fromhex alone would let signs, blanks and underscores pass.
    if len(digits) != width or not HEX.fullmatch(digits):
        raise CodeError(
            f"texts: expected {width} hexadecimal digits for {bits} bits, got {text[:80]!r} "
            f"in row {row}"
        )
    return digits


# -- comparing ------------------------------------------------------------------------------


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


def _is_list_of_ints(codes: object) -> bool:
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
