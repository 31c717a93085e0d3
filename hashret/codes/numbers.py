"""Hashes as whole numbers and as hexadecimal text, first bit most significant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import as_array
from ..errors import CodeError, DTypeError, ShapeError
from ..types import Codes
from .packed import as_codes, check_bits

__all__ = ["from_hex", "from_ints", "to_hex", "to_ints"]

HEX = re.compile("[0-9a-fA-F]*")


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
