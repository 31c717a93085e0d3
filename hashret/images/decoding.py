"""One picture: from its bytes to pixels of 8 bits."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ImageError
from ..extras import import_extra
from .exif import orientation_of
from .formats import open_picture
from .levels import UnfitImageError, flat, prepare_tiff
from .metadata import without_metadata

if TYPE_CHECKING:
    from PIL import Image

# No format in use needs more bytes for a pixel, were it of 16 bits in four channels.
_BYTES_A_PIXEL = 8
_BYTES_BESIDE = 2**26
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Decoded:
    """A picture as its file has it, but with 8 bits a level, on white.

    Attributes
    ----------
    image : PIL.Image.Image
        Not turned yet; at a reduced scale if that was asked for and the format can.
    format : str
        Pillow's name, such as ``"JPEG"``.
    size : (width, height)
        Of the whole picture, before it is turned.
    orientation : int
        How to turn it upright, 1 to 8, by EXIF's numbers.
    exif : bytes
        Empty if there is none; it may be damaged.
    """

    image: Image.Image
    format: str
    size: tuple[int, int]
    orientation: int
    exif: bytes


def decode(
    data: bytes,
    max_pixels: float,
    *,
    suffix: str = "",
    least: Callable[[int, int], tuple[int, int]] | None = None,
    stretch: bool = False,
) -> Decoded:
    """Decode the bytes of a picture.

    Parameters
    ----------
    data : bytes
    max_pixels : float
        Refuse to decode more of them. Where a scaled JPEG is decoded at a reduced scale, those
        count; all of them if it is progressive.
    suffix : str
        That of the file, for the reason if nothing reads it.
    least : callable, optional
        From the width and height to those that would suffice.
    stretch : bool
        Whether levels of unknown range are taken, see :func:`hashret.images.levels.flat`.

    Raises
    ------
    ImageError
        Does not name the picture.
    """
    pil: Any = import_extra("PIL.Image", "images")
    if not data:
        raise ImageError("not a readable image: it is empty")
    bare = without_metadata(data)
    try:
        with open_picture(data if bare.raw else bare.data, suffix=suffix, raw=bare.raw) as image:
            size = image.size
            # All at once, as it is in memory: pillow would copy it block by block.
            image.decodermaxblock = len(data)
            if least is not None:
                # JPEG can decode at 1/2, 1/4 or 1/8.
                image.draft(None, least(*size))
            _check_pixels(size if bare.whole else image.size, max_pixels)
            if image.format == "TIFF":
                prepare_tiff(image, pil)
            image.load()
            _check_pixels(image.size, max_pixels)
            orientation = bare.orientation or _orientation_in(image)
            exif = bare.exif or _bytes_of(image, "exif")
            flat_image = flat(image, pil, stretch=stretch)
            return Decoded(flat_image, image.format or "", size, orientation, exif)
    except (ImageError, MemoryError):
        raise
    except (pil.DecompressionBombWarning, pil.DecompressionBombError) as error:
        raise ImageError(f"too many pixels: {error}") from error
    except Exception as error:
        # Pillow's decoders raise anything from SyntaxError to struct.error on damaged files.
        raise ImageError(f"not a readable image: {error or type(error).__name__}") from error


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn a picture as EXIF's number of its orientation says."""
    pil: Any = import_extra("PIL.Image", "images")
    turn = pil.Transpose
    ways = (
        None,
        turn.FLIP_LEFT_RIGHT,
        turn.ROTATE_180,
        turn.FLIP_TOP_BOTTOM,
        turn.TRANSPOSE,
        turn.ROTATE_270,
        turn.TRANSVERSE,
        turn.ROTATE_90,
    )
    way = ways[orientation - 1]
    return image if way is None else image.transpose(way)


def most_bytes(max_pixels: float) -> float:
    """Return how many bytes a file may have whose pixels may be so many."""
    return _BYTES_A_PIXEL * max_pixels + _BYTES_BESIDE


def printable(text: str) -> str:
    """Return a text with its control characters, and bytes that are no UTF-8, as escapes."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def _check_pixels(size: tuple[int, int], max_pixels: float) -> None:
    width, height = size
    if width * height > max_pixels:
        raise UnfitImageError(
            f"too many pixels: {width}x{height} are to be decoded, max_pixels is {max_pixels}"
        )


def _orientation_in(image: Image.Image) -> int:
    return orientation_of(_bytes_of(image, "exif"), _bytes_of(image, "xmp"))


def _bytes_of(image: Image.Image, key: str) -> bytes:
    value = image.info.get(key)
    return value if isinstance(value, bytes) else b""
