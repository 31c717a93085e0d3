"""Pictures without their metadata, for those whose pixels are sound and whose metadata is not.

Pillow refuses a PNG for a comment that is damaged, or larger than it will unpack, and a JPEG for
a segment that is cut short, though nothing that is seen hangs on them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

__all__ = ["without_metadata"]

_PNG = b"\x89PNG\r\n\x1a\n"
# What the pixels need, and EXIF, which may turn the picture. Of tRNS Pillow checks no length.
_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND"}
_TRANSPARENCY = {0: (2,), 2: (6,), 3: range(1, 257)}  # lengths of tRNS by colour type
_JPEG = b"\xff\xd8\xff"
_SCAN = 0xDA
# APPn, and the shortest that pillow and libjpeg read; the colours hang on the first two.
_JPEG_KEPT = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12), 0xE1: (b"Exif\0\0", 14)}


def without_metadata(picture: bytes) -> bytes | None:
    """Return a PNG or JPEG with what its pixels need and its EXIF; None if it is neither.

    Examples
    --------
    >>> without_metadata(b"GIF89a") is None
    True
    """
    if picture.startswith(_PNG):
        return _PNG + b"".join(_png_parts(picture))
    if picture.startswith(_JPEG):
        return _JPEG[:2] + b"".join(_jpeg_parts(picture))
    return None


def _png_parts(picture: bytes) -> Iterator[bytes]:
    start, colours = len(_PNG), b""
    while start + 8 <= len(picture):
        length, kind = struct.unpack_from(">I4s", picture, start)
        whole = picture[start : start + 12 + length]
        start += len(whole)
        if kind == b"IHDR":
            colours = whole[17:18]
        lengths = _TRANSPARENCY.get(colours[0] if colours else -1, ())
        if kind == b"eXIf" and not _is_whole(whole):
            continue
        if kind in _PNG_KEPT and (kind != b"tRNS" or length in lengths):
            yield whole


def _is_whole(chunk: bytes) -> bool:
    return struct.pack(">I", zlib.crc32(chunk[4:-4])) == chunk[-4:]


def _jpeg_parts(picture: bytes) -> Iterator[bytes]:
    start = 2
    while start + 4 <= len(picture) and picture[start] == 0xFF:
        marker, length = struct.unpack_from(">BH", picture, start + 1)
        if marker == _SCAN:
            break
        if marker == 0xFF:  # padding
            start += 1
            continue
        whole = picture[start : start + 2 + length]
        start += len(whole)
        begins, least = _JPEG_KEPT.get(marker, (b"", 0))
        is_told = 0xE0 <= marker <= 0xEF or marker == 0xFE
        if not is_told or (least and length - 2 >= least and whole.startswith(begins, 4)):
            yield whole
    yield picture[start:]
