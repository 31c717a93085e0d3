"""What reading an image file came to."""

from __future__ import annotations

from typing import NamedTuple

from ..types import Images

__all__ = ["Outcome", "Read", "Skipped"]


class Read(NamedTuple):
    """An image that was read.

    Parameters
    ----------
    token : int
        That of the request.
    content : bytes
        SHA-256 digest of the bytes that were decoded.
    size, mtime_ns : int
        Of the file, asked of the opened file before its bytes were read.
    format : str
        As pillow names it.
    width, height : int
        Of the whole image, upright.
    taken : str or None
        When it was taken, ISO 8601, from EXIF.
    pixels : ndarray of uint8, shape (h, w, 3)
        Upright, scaled down.
    """

    token: int
    content: bytes
    size: int
    mtime_ns: int
    format: str
    width: int
    height: int
    taken: str | None
    pixels: Images


class Skipped(NamedTuple):
    """A file that could not be read as an image, and why.

    Parameters
    ----------
    token : int
    reason : str
    content : bytes or None
        SHA-256 digest of its bytes, if they could be read.
    """

    token: int
    reason: str
    content: bytes | None = None


Outcome = Read | Skipped
