"""What reading a file gives, and the limits it is under."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from ...types import Codes, Images

# From a picture to its code, shape (bytes,), and its quality if it knows any.
CodeOf = Callable[[Images], tuple[Codes, float | None]]

NO_PIXELS: Images = np.empty((0, 0, 3), np.uint8)


@dataclass(frozen=True)
class Read:
    """A file that was read.

    Attributes
    ----------
    token : object
        What the caller gave with the path.
    content : bytes
        SHA-256 of the bytes that were decoded, 32 bytes.
    size : int
        How many bytes that were.
    mtime_ns : int
        When the file was changed, in nanoseconds since 1970, told before it was read: if it
        changes meanwhile, it is seen to have changed since.
    format : str
        Pillow's name, such as ``"JPEG"``; ``"RAW"`` for the preview of a camera's raw file.
    width, height : int
        Of the whole picture, upright.
    taken : str or None
        ISO 8601, by EXIF.
    pixels : ndarray of uint8, shape (h, w, 3)
        Upright RGB, at most `side` on its longer side; (0, 0, 3) if none were asked for.
    codes : mapping of str to (bytes, float or None)
        What the functions made of the pixels that workers were given.
    """

    token: Any
    content: bytes
    size: int
    mtime_ns: int
    format: str
    width: int
    height: int
    taken: str | None
    pixels: Images
    codes: Mapping[str, tuple[bytes, float | None]] = field(default_factory=dict)

    def without_pixels(self) -> Self:
        """Return what is left to be kept when they were used."""
        return replace(self, pixels=NO_PIXELS)


@dataclass(frozen=True)
class Skipped:
    """A file that was not read.

    Attributes
    ----------
    token : object
    reason : str
    content : bytes or None
        As in :class:`Read`, if its bytes were read.
    picture : bool
        Whether its name or its first bytes are those of a picture; if not, nothing is lost.
    """

    token: Any
    reason: str
    content: bytes | None = None
    picture: bool = True


@dataclass(frozen=True)
class Limits:
    """What one file may cost.

    Attributes
    ----------
    pixels : int
        That are decoded; a JPEG at a reduced scale counts what that leaves.
    seconds : float
        Of reading and decoding, by the clock.
    memory : int
        Bytes a worker may allocate, beside the code it runs; where the system can limit that.
    """

    pixels: int = 100_000_000
    seconds: float = 60.0
    memory: int = 1536 * 2**20
