"""Whether a file holds several pictures: pages, or frames of a film. Nothing is decoded."""

from __future__ import annotations

import os
import struct
from io import BufferedReader
from typing import Any, Literal

from .regular_files import open_regular

__all__ = ["FILMS", "PAGED", "has_frames"]

# Formats that are films or stacks by their nature, and those of which a file may be one.
FILMS = ("GIF", "FLI", "DCX", "MIC", "SPIDER")
PAGED = ("TIFF", "PNG", "WEBP", "AVIF", "HEIF", "PSD")

# A longer list of parts is no accident.
_MOST = 1000
_SEQUENCES = {b"avis", b"msf1", b"hevc", b"hevx"}
# Of a TIFF's page: a smaller version of another, or a mask.
_NO_PAGE = 0b101


def has_frames(path: str | bytes) -> bool:
    """Return whether a file holds several pictures, of which decoding gives the first.

    The parts of one picture are none: a TIFF's smaller versions and masks, a JPEG's preview.

    Parameters
    ----------
    path : path

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is damaged where that is told.
    """
    with open_regular(path) as file:
        head = file.read(32)
        try:
            if head.startswith(b"\x89PNG\r\n\x1a\n"):
                return _png(file)
            if head.startswith(b"RIFF") and head[8:16] == b"WEBPVP8X":
                return bool(head[20] & 2)
            if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
                return _tiff(file, head)
            if head[4:8] == b"ftyp":
                return _brands(file)
            if head.startswith(b"8BPS"):
                return _psd(file)
        except (struct.error, IndexError) as error:
            raise ValueError(f"{os.fsdecode(path)}: ends before it should") from error
    return False


def _png(file: BufferedReader) -> bool:
    """Look for the chunk that says of how many frames a film is; it comes before the pixels."""
    file.seek(8)
    for _ in range(_MOST):
        length, name = _read(file, ">I4s")
        if name == b"acTL":
            return bool(_read(file, ">I")[0] > 1)
        if name in (b"IDAT", b"IEND"):
            return False
        file.seek(length + 4, os.SEEK_CUR)
    return True


def _tiff(file: BufferedReader, head: bytes) -> bool:
    """Follow the list of pages until there is a second one."""
    endian: Literal["little", "big"]
    order, endian = ("<", "little") if head[:1] == b"I" else (">", "big")
    big = head[2:4] in (b"+\0", b"\0+")
    count, entry, offset = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    file.seek(8 if big else 4)
    pages = 0
    seen: set[int] = set()
    while (at := _read(file, order + offset)[0]) and at not in seen:
        seen.add(at)
        file.seek(at)
        (entries,) = _read(file, order + count)
        if entries > _MOST or len(seen) > _MOST:
            return True
        rows = [_read(file, order + entry) for _ in range(entries)]
        # A number of two bytes, or of four.
        kinds = [row[3][: 2 if row[1] == 3 else 4] for row in rows if row[0] == 254]
        pages += not any(int.from_bytes(kind, endian) & _NO_PAGE for kind in kinds)
        if pages > 1:
            return True
    return False


def _brands(file: BufferedReader) -> bool:
    """Look among the brands of an AVIF or HEIF file for those of a sequence."""
    file.seek(0)
    (size,) = _read(file, ">I")
    brands = file.read(min(size, _MOST))[4:]
    return any(brands[at : at + 4] in _SEQUENCES for at in range(0, len(brands), 4))


def _psd(file: BufferedReader) -> bool:
    """Look at how many layers a picture of a painting program's is made of."""
    file.seek(26)
    for _ in range(2):
        file.seek(_read(file, ">I")[0], os.SEEK_CUR)
    both, layers = _read(file, ">II")
    return bool(both and layers) and abs(_read(file, ">h")[0]) > 1


def _read(file: BufferedReader, form: str) -> tuple[Any, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))
