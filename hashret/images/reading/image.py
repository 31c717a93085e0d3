"""From the bytes of an image file to a small upright picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...extras import import_extra
from ...types import Images
from ..decoding import decode, upright
from ..exif import taken_of

if TYPE_CHECKING:
    from PIL import Image

# Of `side`: a JPEG that is decoded at a reduced scale to this or more is taken so. 12 megapixels
# are 500 pixels at 1/8, which takes half the time of 1/4.
_ENOUGH = 0.75
# Resized as they are; turned into RGB when they are small.
_RESIZED = frozenset({"L", "RGB", "CMYK"})


@dataclass(frozen=True)
class Picture:
    """A decoded file; the attributes are those of :class:`.results.Read`."""

    format: str
    width: int
    height: int
    taken: str | None
    pixels: Images


def read_picture(data: bytes, side: int, max_pixels: int, suffix: str = "") -> Picture:
    """Decode an image file of any kind.

    Parameters
    ----------
    data : bytes
        Its first bytes tell the format.
    side : int
        The longer side of the pixels returned, at most.
    max_pixels : int
        That may be decoded; a JPEG is decoded at 1/2, 1/4 or 1/8 where that leaves three quarters
        of `side`.
    suffix : str
        Of the file's name, for the reason if nothing reads it.

    Raises
    ------
    ImageError
        With the reason; does not name the file.
    MemoryError
    """
    decoded = decode(
        data,
        max_pixels,
        suffix=suffix,
        least=lambda width, height: fitted(width, height, round(_ENOUGH * side)),
        stretch=True,
    )
    image = upright(_small(decoded.image, side), decoded.orientation)
    if image.mode != "RGB":
        image = image.convert("RGB")
    width, height = decoded.size if decoded.orientation < 5 else decoded.size[::-1]
    return Picture(decoded.format, width, height, taken_of(decoded.exif), np.asarray(image))


def fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """Return a width and height in their ratio, at most `side`, never enlarged.

    Examples
    --------
    >>> fitted(4000, 3000, 512), fitted(32, 20, 512)
    ((512, 384), (32, 20))
    """
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _small(image: Image.Image, side: int) -> Image.Image:
    size = fitted(*image.size, side)
    if image.mode not in _RESIZED:
        image = image.convert("RGB")
    if image.size == size:
        return image
    # As quick as bilinear, nearly as sharp as bicubic, which takes 1.7 times as long.
    hamming: Any = import_extra("PIL.Image", "images").Resampling.HAMMING
    return image.resize(size, hamming, reducing_gap=3.0)
