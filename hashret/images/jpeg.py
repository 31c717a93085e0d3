"""JPEG by simplejpeg where it is installed: the pixels of pillow, in about a tenth less time.

Both are libjpeg-turbo, asked for the same; pillow also feeds it in pieces and copies what comes.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

from ..errors import MissingExtraError
from ..extras import import_extra
from ..types import Images

__all__ = ["pixels_of_jpeg"]

_COLOURS = {"L": "GRAY", "RGB": "RGB"}


def pixels_of_jpeg(data: bytes, image: Any) -> Images | None:
    """Decode a JPEG, at the scale that pillow was told.

    Parameters
    ----------
    data : bytes
        The file.
    image : PIL.ImageFile.ImageFile
        That file, opened by pillow, not loaded yet.

    Returns
    -------
    pixels : ndarray of uint8, shape (h, w) or (h, w, 3), or None
        None is for all that is not plain, and for whatever is damaged: pillow decides what is
        still read of it, and which words say why not.
    """
    package: Any = _simplejpeg()
    if package is None or image.format != "JPEG" or image.mode not in _COLOURS:
        return None
    width, height = image.size
    try:
        pixels: Images = package.decode_jpeg(
            data, _COLOURS[image.mode], min_height=height, min_width=width
        )
    except ValueError:
        return None
    if pixels.shape[:2] != (height, width):
        return None
    return pixels[..., 0] if image.mode == "L" else pixels


@cache
def _simplejpeg() -> ModuleType | None:
    try:
        return import_extra("simplejpeg", "jpeg")
    except MissingExtraError:
        return None
