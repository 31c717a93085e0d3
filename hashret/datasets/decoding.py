"""One picture: from a file or its bytes to pixels."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..checks import check_int
from ..errors import DTypeError, ImageError, ParameterError
from ..extras import import_extra
from ..images.decoding import decode, most_bytes, printable, upright
from ..images.regular_files import read_regular
from ..types import Images
from .room import check_room

if TYPE_CHECKING:
    from PIL import Image

_MODES = {"rgb": "RGB", "grey": "L"}
Size = tuple[int, int]
Mode = Literal["rgb", "grey"]
Source = str | os.PathLike[str] | bytes | bytearray | memoryview


def read_image(
    source: Source,
    size: Size | None = None,
    *,
    mode: Mode = "rgb",
    name: str | None = None,
    max_pixels: int | None = None,
) -> Images:
    """Read one image from a file or from the bytes of one.

    Parameters
    ----------
    source : path-like or bytes
        Any format that is registered with pillow; the first bytes tell which, not the suffix.
        PostScript, which is a program, is left out.
    size : (height, width), optional
        Resize to this, without keeping the aspect ratio.
    mode : {"rgb", "grey"}
    name : str, optional
        What to call the image in errors; the path by default.
    max_pixels : int, optional
        Refuse an image of which more pixels would have to be decoded. A JPEG that is read at a
        smaller `size` is decoded at 1/2, 1/4 or 1/8 of its height and width where that suffices,
        and only those pixels count; all of them if it is progressive. A file of more than
        ``8 * max_pixels + 64 MiB`` bytes is refused, too. By default pillow's
        ``Image.MAX_IMAGE_PIXELS``, 89,478,485 unless it was changed; that one also holds, twofold,
        for WebP and icons.

    Returns
    -------
    image : ndarray of uint8, shape (height, width, 3), or (height, width) if grey

    Raises
    ------
    ImageError
        If it is not a regular file, not an image, is damaged, or has too many pixels.

    Notes
    -----
    Integers of 16 bits are scaled by their full range, from 0..65535 to 0..255; pictures of 32
    bits, of signed integers or of floating-point numbers, whose range no file tells, are refused.
    EXIF orientation is applied, other metadata is not looked at, sound or damaged; transparency is
    laid over white, and of an animation the first frame counts.
    """
    size = check_size(size)
    limit = check_max_pixels(max_pixels)
    check_mode(mode)
    try:
        if size is not None:
            check_room((1, *size, 3))
        data, suffix = _load(source, limit)
        return _sized(data, size, mode, limit, suffix)
    except ImageError as error:
        name = name or (
            "image" if isinstance(source, (bytes, bytearray, memoryview)) else os.fsdecode(source)
        )
        raise type(error)(printable(f"{name}: {error}")) from error


def _sized(data: bytes, size: Size | None, mode: Mode, max_pixels: float, suffix: str) -> Images:
    # Twice the target leaves the resizing its quality; square, because EXIF may turn the image.
    least = None if size is None else 2 * max(size)
    decoded = decode(
        data, max_pixels, suffix=suffix, least=None if least is None else lambda *_: (least, least)
    )
    turned = upright(decoded.image, decoded.orientation)
    return np.asarray(_fitted(turned, size, _MODES[mode]))


def check_size(size: Sequence[int] | None) -> Size | None:
    """Return a size as two integers, or raise unless it is (height, width)."""
    if size is None:
        return None
    try:
        height, width = size
    except (TypeError, ValueError):
        raise ParameterError(f"size: expected (height, width), got {size!r}") from None
    return check_int("size", height, 1), check_int("size", width, 1)


def check_mode(mode: str) -> None:
    """Raise a ParameterError unless a mode is known."""
    if mode not in _MODES:
        raise ParameterError(f'mode: expected "rgb" or "grey", got {mode!r}')


def check_max_pixels(max_pixels: int | None) -> float:
    """Return the limit, infinite if pillow has none, or raise unless it is a whole number."""
    if max_pixels is None:
        pil: Any = import_extra("PIL.Image", "images")
        return math.inf if pil.MAX_IMAGE_PIXELS is None else pil.MAX_IMAGE_PIXELS
    return check_int("max_pixels", max_pixels, 1)


def _load(source: Source, max_pixels: float) -> tuple[bytes, str]:
    """Return the bytes of a picture and the suffix of its file."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), ""
    try:
        path = os.fsdecode(source)
    except TypeError as error:
        raise DTypeError(
            f"source: expected a path or bytes, got {type(source).__name__}"
        ) from error
    most = most_bytes(max_pixels)
    try:
        data = read_regular(path, most)
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if data is None:
        raise ImageError(
            f"larger than {most:.0f} bytes, the most that max_pixels={max_pixels} allows"
        )
    return data, os.path.splitext(path)[1]


def _fitted(image: Image.Image, size: Size | None, mode: str) -> Image.Image:
    if image.mode != mode:
        image = image.convert(mode)
    return image if size is None else image.resize((size[1], size[0]), reducing_gap=3.0)
