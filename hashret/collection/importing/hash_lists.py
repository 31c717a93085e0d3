"""Lists of hashes in hexadecimal."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from ...codes import from_hex
from ...errors import FormatError
from ...images.decoding import printable
from ...types import Codes, Floats

__all__ = ["HashList", "read_hash_list"]

_LONGEST_LINE = 10_000
_EXPORTED = "id,path,code,"
_HASH = re.compile(r"(?:0x)?([0-9a-fA-F]+)")
_QUALITY = re.compile(r"\d{1,3}(?:\.\d{1,6})?")


@dataclass(frozen=True)
class HashList:
    """Hashes that came from elsewhere.

    Attributes
    ----------
    bits : int
    codes : ndarray of uint8, shape (n, bits / 8)
    quality : ndarray of float64, shape (n,)
        From 0 to 1, NaN where the list has none.
    names : list of str
        What the list says beside the hash, fit to be printed; "" if nothing.
    lines : list of int
        Where in the list, from 1.
    """

    bits: int
    codes: Codes
    quality: Floats
    names: list[str]
    lines: list[int]

    def __len__(self) -> int:
        return len(self.names)


def read_hash_list(source: str | os.PathLike[str] | BinaryIO, bits: int = 256) -> HashList:
    """Read a list with a hash a line, as the programs around PDQ write it.

    A line is ``hash``, ``hash,name``, or ``hash,quality,name`` with a quality from 0 to 100;
    empty lines, and those that begin with ``#`` or ``hash,``, are left out.

    Parameters
    ----------
    source : path or binary file
    bits : int
        Length of a hash, a multiple of 8.

    Raises
    ------
    FormatError
        If a line has no hash of this length, or there is none at all; names the line.

    Examples
    --------
    >>> import io
    >>> found = read_hash_list(io.BytesIO(b"hash,quality,name\\n" + b"0f" * 32 + b",87,cat.jpg"))
    >>> found.codes.shape, found.quality, found.names
    ((1, 32), array([0.87]), ['cat.jpg'])
    """
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            return _read(file, os.fspath(source), bits)
    return _read(source, "the list", bits)


def _read(file: BinaryIO, where: str, bits: int) -> HashList:
    digits, quality, names, lines = [], [], [], []
    for number, line in _lines(file, where):
        if number == 1 and line.startswith(_EXPORTED):
            raise FormatError(
                f"{where}: a table of hashret export, which does not say what made its codes; "
                "hashret match takes the folder of another collection"
            )
        text, *rest = (part.strip() for part in line.split(",", 1))
        found = _HASH.fullmatch(text)
        if found is None or len(found[1]) != bits // 4:
            raise FormatError(
                f"{where}: line {number}: expected {bits // 4} hexadecimal digits, a hash of "
                f"{bits} bits, got {text[:80]!r}{f' of {len(text)}' if len(text) > 80 else ''}"
            )
        score, name = _rest(rest[0] if rest else "")
        digits.append(found[1])
        quality.append(score)
        names.append(printable(name))
        lines.append(number)
    if not digits:
        raise FormatError(f"{where}: no hashes")
    return HashList(bits, from_hex(digits, bits), np.array(quality), names, lines)


def _lines(file: BinaryIO, where: str) -> Iterable[tuple[int, str]]:
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise FormatError(f"{where}: line {number}: longer than {_LONGEST_LINE} bytes")
        text = line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape").strip()
        if text and not text.startswith("#") and not text.lower().startswith("hash,"):
            yield number, text


def _rest(text: str) -> tuple[float, str]:
    """Return quality and name of what follows the hash."""
    first, _, name = text.partition(",")
    if not _QUALITY.fullmatch(first.strip()) or float(first) > 100:
        return np.nan, _unquoted(text)
    return float(first) / 100, _unquoted(name.strip())


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1].replace('""', '"') if quoted else text
