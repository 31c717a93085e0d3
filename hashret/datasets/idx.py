"""Reader of IDX, the format of the MNIST family.

A file is two zero bytes, a type byte (8: uint8, the only one read here), the
number of dimensions, each dimension as a big-endian uint32, then the values in
C order. Files may be plain, or packed by gzip or xz; the first bytes tell.
"""

from __future__ import annotations

import gzip
import lzma
import math
import os
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import FormatError

# Over five times the largest file of the MNIST family; more is damage or an attack.
MAX_BYTES = 256 * 2**20
_CHUNK = 2**20
_UINT8 = 8
_DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError)


def read_idx(path: str | os.PathLike[str], dimensions: int) -> npt.NDArray[np.uint8]:
    """Read a file of uint8 values.

    Parameters
    ----------
    path : path-like
    dimensions : int
        How many dimensions the array must have.

    Returns
    -------
    values : ndarray of uint8

    Raises
    ------
    FormatError
        If the file is not IDX of uint8 with `dimensions` dimensions, is shorter or longer than
        its header says, is damaged, or claims more than 256 MiB. Memory follows the bytes that
        are really there, never the header's claim.
    """
    name = Path(path).name
    with _open(path) as stream:
        try:
            return _parse(stream, dimensions, name)
        except _DAMAGE as error:
            raise FormatError(f"{name}: damaged or truncated compressed file: {error}") from error


def _open(path: str | os.PathLike[str]) -> BufferedIOBase:
    with open(path, "rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(path, "rb")
    if start == b"\xfd7zXZ\x00":
        return lzma.open(path, "rb")
    return open(path, "rb")


def _parse(stream: BufferedIOBase, dimensions: int, name: str) -> npt.NDArray[np.uint8]:
    header = stream.read(4 + 4 * dimensions)
    magic = bytes((0, 0, _UINT8, dimensions))
    if header[:4] != magic:
        raise FormatError(
            f"{name}: expected an IDX file of uint8 with {dimensions} dimensions "
            f"(first bytes {magic.hex()}), got {header[:4].hex() or 'an empty file'}"
        )
    if len(header) < 4 + 4 * dimensions:
        raise FormatError(f"{name}: truncated in its header of {4 + 4 * dimensions} bytes")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    size = math.prod(shape)
    if size > MAX_BYTES:
        raise FormatError(f"{name}: claims {size} bytes {shape}; the limit is {MAX_BYTES}")
    values = _read_up_to(stream, size + 1)
    if len(values) != size:
        found = "more" if len(values) > size else str(len(values))
        raise FormatError(f"{name}: expected {size} values {shape}, found {found}")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _read_up_to(stream: BufferedIOBase, size: int) -> bytearray:
    values = bytearray()
    while len(values) < size:
        chunk = stream.read(min(_CHUNK, size - len(values)))
        if not chunk:
            break
        values += chunk
    return values
