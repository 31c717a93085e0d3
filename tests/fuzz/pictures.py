"""Small sound pictures of every format that is read, to be mutated."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from picture_files import directory, encoded, exif, jpeg_with, png_chunk
from PIL import Image, features

from hashret.extras import import_extra

# Of Adam7: first row, first column, and the steps to the next.
_PASSES = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
    *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)


def pictures() -> dict[str, bytes]:
    """Return a sound picture of each kind, by a name that says which; of few kilobytes each."""
    made: dict[str, bytes] = {}
    for name, make in _MAKERS.items():
        made[name] = make(_scene())
    if features.check("avif"):
        made["avif"] = encoded(_scene(), "AVIF")
    if (heic := _heic(_scene())) is not None:
        made["heic"] = heic
    return made


def _scene(width: int = 60, height: int = 44) -> Image.Image:
    rng = np.random.default_rng(width)
    small = Image.fromarray(rng.integers(0, 256, (8, 10, 3), np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def _saved(kind: str, mode: str = "", **options: Any) -> Callable[[Image.Image], bytes]:
    return lambda image: encoded(image.convert(mode) if mode else image, kind, **options)


def _frames(kind: str, **options: Any) -> Callable[[Image.Image], bytes]:
    def save(image: Image.Image) -> bytes:
        others = [image.transpose(Image.Transpose.ROTATE_180), image]
        return encoded(image, kind, save_all=True, append_images=others, **options)

    return save


def _turned_jpeg(image: Image.Image) -> bytes:
    return jpeg_with(encoded(image, "JPEG"), 0xE1, exif([(0x112, 3, [6])]))


def _deep_png(image: Image.Image) -> bytes:
    values = np.asarray(image.convert("L")).astype(np.uint16) * 257
    return encoded(Image.fromarray(values), "PNG")


def _clear_palette(image: Image.Image) -> bytes:
    return encoded(image.quantize(16), "PNG", transparency=3)


def _interlaced_png(image: Image.Image) -> bytes:
    pixels, lines = np.asarray(image), b""
    for top, left, down, along in _PASSES:
        lines += b"".join(b"\0" + row.tobytes() for row in pixels[top::down, left::along])
    size = b"".join(number.to_bytes(4, "big") for number in image.size)
    chunks = (
        (b"IHDR", size + b"\x08\x02\0\0\x01"),
        (b"IDAT", zlib.compress(lines)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def _float_tiff(image: Image.Image) -> bytes:
    return encoded(Image.fromarray(np.asarray(image.convert("L")) / np.float32(255)), "TIFF")


def _tiled_tiff(image: Image.Image) -> bytes:
    side, pixels = 32, np.asarray(image)
    tiles = []
    for top in range(0, image.height, side):
        for left in range(0, image.width, side):
            part = pixels[top : top + side, left : left + side]
            beside = ((0, side - part.shape[0]), (0, side - part.shape[1]), (0, 0))
            tiles.append(np.pad(part, beside).tobytes())
    offsets = [8 + sum(map(len, tiles[:i])) for i in range(len(tiles))]
    tags = [
        (256, 4, [image.width]),
        (257, 4, [image.height]),
        (258, 3, [8, 8, 8]),
        (259, 3, [1]),
        (262, 3, [2]),
        (277, 3, [3]),
        (284, 3, [1]),
        (322, 4, [side]),
        (323, 4, [side]),
        (324, 4, offsets),
        (325, 4, [len(tile) for tile in tiles]),
    ]
    at = 8 + sum(map(len, tiles))
    return b"II*\0" + at.to_bytes(4, "little") + b"".join(tiles) + directory(tags, at)


def _icns(image: Image.Image) -> bytes:
    """One icon of 128 pixels: pillow writes ten, the largest of a thousand."""
    icon = encoded(image.resize((128, 128)), "PNG")
    part = b"ic07" + (len(icon) + 8).to_bytes(4, "big") + icon
    return b"icns" + (len(part) + 8).to_bytes(4, "big") + part


def _heic(image: Image.Image) -> bytes | None:
    """Return it as HEIC if packages are there to write and to read that."""
    try:
        import_extra("pi_heif", "heif")
        writer: Any = import_extra("pillow_heif", "heif")
    except ImportError:
        return None
    buffer = io.BytesIO()
    writer.from_pillow(image).save(buffer, quality=80)
    return buffer.getvalue()


_MAKERS: dict[str, Callable[[Image.Image], bytes]] = {
    "jpeg": _saved("JPEG"),
    "jpeg-progressive": _saved("JPEG", progressive=True),
    "jpeg-cmyk": _saved("JPEG", "CMYK"),
    "jpeg-grey": _saved("JPEG", "L"),
    "jpeg-turned": _turned_jpeg,
    "png": _saved("PNG"),
    "png-alpha": _saved("PNG", "RGBA"),
    "png-16": _deep_png,
    "png-palette": _clear_palette,
    "png-1": _saved("PNG", "1"),
    "png-interlaced": _interlaced_png,
    "gif": _saved("GIF"),
    "gif-animated": _frames("GIF"),
    "webp": _saved("WEBP"),
    "webp-lossless": _saved("WEBP", lossless=True),
    "webp-animated": _frames("WEBP"),
    "tiff": _saved("TIFF"),
    "tiff-tiled": _tiled_tiff,
    "tiff-float": _float_tiff,
    "tiff-lzw": _saved("TIFF", compression="tiff_lzw"),
    "tiff-deflate": _saved("TIFF", compression="tiff_adobe_deflate"),
    "tiff-jpeg": _saved("TIFF", compression="jpeg"),
    "tiff-fax": _saved("TIFF", "1", compression="group4"),
    "tiff-pages": _frames("TIFF"),
    "bmp": _saved("BMP"),
    "bmp-palette": _saved("BMP", "P"),
    "ico": _saved("ICO", sizes=[(32, 32), (16, 16)]),
    "icns": _icns,
    "mpo": _frames("MPO"),
    "ppm": _saved("PPM"),
    "tga": _saved("TGA", compression="tga_rle"),
    "jpeg-2000": _saved("JPEG2000"),
    "dds": _saved("DDS"),
    "pcx": _saved("PCX"),
    "sgi": _saved("SGI"),
    "qoi": _saved("QOI"),
    "im": _saved("IM"),
}
