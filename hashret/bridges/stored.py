"""Codes with their ids as bridges take and give them, and the files that hold them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from ..checks import check_ids
from ..codes import as_codes, check_bits
from ..errors import DTypeError, FormatError, IdError, ParameterError
from ..files import replacing
from ..types import Codes, Ids

__all__ = ["Source", "Stored", "Target", "bits_of", "checked", "dimension", "reading", "writing"]

Target = str | os.PathLike[str] | BinaryIO
Source = str | os.PathLike[str] | BinaryIO


class Stored(NamedTuple):
    """Codes as a system holds them.

    Attributes
    ----------
    codes : ndarray of uint8, shape (n, ceil(bits / 8))
    bits : int
        Length of a code.
    ids : ndarray of int64, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from hashret import Index
    >>> stored = Stored(np.array([[1], [3]], np.uint8), 8, np.array([10, 20]))
    >>> index = Index(stored.bits)
    >>> index.add(stored.codes, stored.ids)
    array([10, 20])
    """

    codes: Codes
    bits: int
    ids: Ids


def dimension(bits: int) -> int:
    """Return the length that a system of whole bytes is told for codes of so many bits.

    Examples
    --------
    >>> dimension(12), dimension(256)
    (16, 256)
    """
    return 8 * -(-check_bits(bits) // 8)


def checked(codes: npt.ArrayLike, bits: int, ids: npt.ArrayLike | None = None) -> Stored:
    """Return codes and ids that are fit to be written; by default ids count from 0.

    Raises
    ------
    ShapeError, DTypeError, CodeError
        If the codes do not fit `bits`, or the ids the codes.
    IdError
        If an id is -1, or repeated.
    """
    packed = as_codes(codes, bits)
    if ids is None:
        return Stored(packed, bits, np.arange(len(packed), dtype=np.int64))
    known = check_ids(ids, len(packed))
    values, counts = np.unique(known, return_counts=True)
    if len(values) < len(known):
        raise IdError(f"ids: {values[counts > 1][0]} is repeated")
    return Stored(packed, bits, known)


def bits_of(width: int, given: int | None, known: int | None = None) -> int:
    """Return the length of codes of so many bytes, from what was given and what the file says.

    Raises
    ------
    ParameterError
        If the file says otherwise than what was given, or codes of those have not that many bytes.
    FormatError
        If what the file says does not fit its own codes.
    """
    if given is None:
        bits = 8 * width if known is None else known
        if not 8 * (width - 1) < bits <= 8 * width:
            raise FormatError(f"codes of {width} bytes cannot have {bits} bits, as their file says")
        return check_bits(bits)
    if known is not None and given != known:
        raise ParameterError(f"bits: expected {known}, as the file says, or None, got {given}")
    if dimension(given) != 8 * width:
        raise ParameterError(f"bits: got {given}, but the codes have {width} bytes")
    return given


@contextmanager
def writing(target: Target) -> Iterator[BinaryIO]:
    """Open a path to be replaced as a whole; a file that is open is written to."""
    if isinstance(target, (str, os.PathLike)):
        with replacing(target) as file:
            yield file
        return
    _check_file("target", target, "write")
    yield target


@contextmanager
def reading(source: Source) -> Iterator[tuple[BinaryIO, str]]:
    """Open a path; yield the file, or one that is open, and its name in messages."""
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield file, os.fspath(source)
        return
    _check_file("source", source, "read")
    yield source, "the file"


def _check_file(name: str, file: object, method: str) -> None:
    if not hasattr(file, method):
        raise DTypeError(f"{name}: expected a path or a binary file, got {type(file).__name__}")
