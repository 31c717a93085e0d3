"""Pictures written byte by byte, as pillow would not write them."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

Tag = tuple[int, int, Sequence[int]]
_FORMS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "I", 7: "B"}


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Pillow gives up writing some formats that it goes on to read.
        warnings.simplefilter("ignore")
        image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes, *, sound: bool = True) -> bytes:
    checksum = zlib.crc32(kind + body) ^ (0 if sound else 1)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def png(
    rows: Sequence[bytes],
    width: int,
    depth: int = 8,
    colours: int = 2,
    *,
    height: int | None = None,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A PNG of rows of packed samples, with other chunks before and after the pixels."""
    header = struct.pack(">IIBBBBB", width, height or len(rows), depth, colours, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            before,
            png_chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))),
            after,
            png_chunk(b"IEND", b""),
        )
    )


def rgb_png(pixels: np.ndarray, **chunks: bytes) -> bytes:
    return png([row.tobytes() for row in pixels], pixels.shape[1], **chunks)


def jpeg_with(data: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment at its start."""
    return data[:2] + b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body + data[2:]


def directory(tags: Sequence[Tag], at: int, order: str = "<") -> bytes:
    """A TIFF directory for position `at`, its values after it."""
    beside, entries = b"", b""
    for tag, kind, values in sorted(tags):
        packed = struct.pack(f"{order}{len(values)}{_FORMS[kind]}", *values)
        count = len(values) // (2 if kind == 5 else 1)
        entries += struct.pack(order + "HHI", tag, kind, count)
        if len(packed) > 4:
            where = at + 2 + 12 * len(tags) + 4 + len(beside)
            entries += struct.pack(order + "I", where)
            beside += packed
        else:
            entries += packed.ljust(4, b"\0")
    return struct.pack(order + "H", len(tags)) + entries + bytes(4) + beside


def exif(tags: Sequence[Tag], order: str = "<") -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return b"Exif\0\0" + mark + struct.pack(order + "I", 8) + directory(tags, 8, order)


def tiff(
    planes: Sequence[bytes],
    shape: tuple[int, int],
    bits: int,
    *,
    order: str = "<",
    photometric: int = 1,
    sample_format: int = 1,
    samples: int = 1,
    tags: Sequence[Tag] = (),
) -> bytes:
    """An uncompressed TIFF, its strips one plane each."""
    height, width = shape
    offsets = [8 + sum(map(len, planes[:i])) for i in range(len(planes))]
    body = b"".join(planes)
    body += bytes(len(body) % 2)
    known: list[Tag] = [
        (256, 4, [width]),
        (257, 4, [height]),
        (258, 3, [bits] * samples),
        (259, 3, [1]),
        (262, 3, [photometric]),
        (273, 4, offsets),
        (277, 3, [samples]),
        (278, 4, [height]),
        (279, 4, [len(plane) for plane in planes]),
        (284, 3, [2 if len(planes) > 1 else 1]),
        (339, 3, [sample_format] * samples),
    ]
    mark = b"II*\0" if order == "<" else b"MM\0*"
    at = 8 + len(body)
    return mark + struct.pack(order + "I", at) + body + directory([*known, *tags], at, order)
