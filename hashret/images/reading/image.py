"""From the bytes of an image file to a small upright picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...extras import import_extra
from ...types import Images
from ..decoding import decode, upright
from ..exif import taken_of
from ..scaling import shrunk

if TYPE_CHECKING:
    from PIL import Image

# Of `side`: a JPEG that is decoded at a reduced scale to this or more is taken so. 12 megapixels
# are 500 pixels at 1/8, which takes half the time of 1/4.
_ENOUGH = 0.75
# Resized as they are; turned into RGB when they are small.
_RESIZED = frozenset({"L", "RGB", "CMYK"})
# Pictures of which a side is so many times too long are first reduced by a whole number.
_LARGE = 6


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
    pixels = _small(decoded.image, side)
    if decoded.orientation > 1:
        turned = upright(import_extra("PIL.Image", "images").fromarray(pixels), decoded.orientation)
        pixels = np.asarray(turned)
    width, height = decoded.size if decoded.orientation < 5 else decoded.size[::-1]
    return Picture(decoded.format, width, height, taken_of(decoded.exif), pixels)


def fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """Return a width and height in their ratio, at most `side`, never enlarged.

    Examples
    --------
    >>> fitted(4000, 3000, 512), fitted(32, 20, 512)
    ((512, 384), (32, 20))
    """
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _small(image: Image.Image, side: int) -> Images:
    width, height = fitted(*image.size, side)
    if image.mode not in _RESIZED:
        image = image.convert("RGB")
    if image.size == (width, height):
        return _rgb(image)
    if image.mode == "RGB" and image.width < _LARGE * width and image.height < _LARGE * height:
        return shrunk(np.asarray(image), height, width)
    # As quick as bilinear, nearly as sharp as bicubic, which takes 1.7 times as long.
    hamming: Any = import_extra("PIL.Image", "images").Resampling.HAMMING
    image = image.resize((width, height), hamming, reducing_gap=_LARGE / 2)
    return _rgb(image)


def _rgb(image: Image.Image) -> Images:
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
