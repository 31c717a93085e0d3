"""What stands beside the pixels of a picture: left out before decoding, but for the orientation.

A decoder that meets a damaged camera record, a colour profile of a gigabyte or a wrong checksum
of a comment refuses a picture whose pixels are sound, or warns. It is given none of them.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from .exif import ORIENTATION, Directory, orientation_of, read_directory

_XMP, _SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION = 700, 254, 330, 50706
# What libtiff and pillow need to know of the pixels; the last is LERC's version.
_TIFF_TAGS = frozenset(
    {*range(256, 260), 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, *range(320, 326), 338}
    | {339, 347, *range(512, 522), *range(529, 533), 50674}
)
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_PIXELS = frozenset({b"IDAT", b"IEND"})
_PNG_CHUNKS = _PNG_PIXELS | {b"IHDR", b"PLTE", b"tRNS"}
_PNG_BYTES = 2**20
# JFIF and Adobe say what colours the samples are, in so many bytes.
_JPEG_KEPT = {0xE0: 14, 0xEE: 12}
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_HEAD = 2**16
_TIFF_START = re.compile(rb"II\*\0\x08\0\0\0|MM\0\*\0\0\0\x08")


@dataclass(frozen=True)
class Bare:
    """A picture without what stands beside its pixels.

    Attributes
    ----------
    data : bytes
        The picture, in its own format.
    orientation : int or None
        How to turn it, by EXIF, 1 to 8; None if the decoder has to be asked.
    exif : bytes
        The EXIF, sound or damaged, or what holds it; empty if the decoder has to be asked.
    whole : bool
        Whether its decoder keeps all of it in memory even to return it at a reduced scale.
    raw : bool
        Whether it is a camera's raw file, of which only a preview could be read.
    """

    data: bytes
    orientation: int | None = None
    exif: bytes = b""
    whole: bool = False
    raw: bool = False


def without_metadata(data: bytes) -> Bare:
    """Take from a picture what is not its pixels; of a format not known here, take nothing."""
    if data.startswith(b"\xff\xd8\xff"):
        return _bare_jpeg(data)
    if data.startswith(_PNG):
        return _bare_png(data)
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _bare_tiff(data)
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return _bare_avif(data)
    return Bare(data)


def _bare_tiff(data: bytes) -> Bare:
    """Leave in the first directory what makes the pixels; no other directory follows it."""
    directory = read_directory(data)
    if directory is None:
        return Bare(data)
    order, big = directory.order, directory.big
    kept = sorted(
        (tag, entry)
        for tag, entry in directory.entries.items()
        if tag in _TIFF_TAGS and directory.end(entry) <= len(data)
    )
    packed = struct.pack(order + ("Q" if big else "H"), len(kept))
    packed += b"".join(entry for _, entry in kept) + bytes(8 if big else 4)
    start = len(data) + len(data) % 2
    header = data[:8] + struct.pack(order + "Q", start)
    if not big:
        if start >= 2**32:
            return Bare(data)
        header = data[:4] + struct.pack(order + "I", start)
    bare = b"".join((header, memoryview(data)[len(header) :], bytes(len(data) % 2), packed))
    return Bare(bare, _tiff_orientation(data, directory), data, raw=_is_raw(data, directory))


def _tiff_orientation(data: bytes, directory: Directory) -> int:
    value = directory.integer(ORIENTATION)
    if value is None and _XMP in directory.entries:
        _, count, offset = directory.unpack(directory.entries[_XMP])
        return orientation_of(b"", data[offset : offset + min(count, _PNG_BYTES)])
    return value if value is not None and 1 <= value <= 8 else 1


def _is_raw(data: bytes, directory: Directory) -> bool:
    """Whether the first picture is a preview of one that pillow does not decode."""
    preview = (directory.integer(_SUBFILE_TYPE) or 0) & 1 and _SUB_IFDS in directory.entries
    return bool(preview) or _DNG_VERSION in directory.entries or data[8:10] == b"CR"


def _bare_jpeg(data: bytes) -> Bare:
    """Leave out comments and application segments, but for those that tell the colours."""
    kept, exif, xmp = [data[:2]], b"", b""
    at, components, whole = 2, 0, False
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        marker = data[at + 1]
        if marker in _JPEG_ALONE or marker == 0xFF:
            at += 2 if marker in _JPEG_ALONE else 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data) or end < at + 4 or marker == 0xD9:
            break
        if marker == 0xDA:
            # Components that come in scans of their own are collected first, too.
            whole = whole or data[at + 4] < components
            break
        if marker in _JPEG_FRAMES and end >= at + 10:
            components, whole = data[at + 9], marker in _JPEG_PROGRESSIVE
        body = data[at + 4 : end]
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            exif = exif or body
        elif marker == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            xmp = xmp or body
        beside = 0xE0 <= marker <= 0xEF or marker == 0xFE
        if not beside or len(body) >= _JPEG_KEPT.get(marker, 2**16):
            kept.append(data[at:end])
        at = end
    all_kept = sum(map(len, kept)) == at
    bare = data if all_kept else b"".join((*kept, memoryview(data)[at:]))
    return Bare(bare, orientation_of(exif, xmp), exif, whole)


def _bare_png(data: bytes) -> Bare:
    """Leave out all chunks but those of the pixels."""
    view, at = memoryview(data), 8
    kept: list[bytes | memoryview] = [view[:8]]
    notes: dict[bytes, bytes] = {}
    wanted = _PNG_CHUNKS
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            break
        if kind in wanted:
            kept.append(view[at:end] if kind != b"tRNS" else _png_transparency(data, at, end))
        else:
            _note(notes, kind, view[at + 8 : end - 4])
        if kind == b"IHDR":
            wanted -= {kind}
        elif kind == b"IDAT":
            wanted = _PNG_PIXELS
        at = len(data) if kind == b"IEND" else end
    kept.append(view[at:])
    exif = notes.get(b"eXIf") or _from_hexadecimal(notes.get(b"Raw profile type exif", b""))
    xmp = notes.get(b"XML:com.adobe.xmp", b"")
    return Bare(b"".join(kept), orientation_of(exif, xmp), exif)


def _note(notes: dict[bytes, bytes], kind: bytes, body: memoryview) -> None:
    """Note the chunks that may tell the orientation, unpacked to a megabyte at most."""
    if kind == b"eXIf":
        notes.setdefault(kind, bytes(body[:_PNG_BYTES]))
    elif kind in (b"tEXt", b"zTXt", b"iTXt"):
        key, _, rest = bytes(body[: 2 * _PNG_BYTES]).partition(b"\0")
        packed = kind == b"zTXt"
        if kind == b"iTXt":
            packed = rest[:1] == b"\1"
            rest = rest[2:].split(b"\0", 2)[-1]
        elif packed:
            rest = rest[1:]
        if key in (b"Raw profile type exif", b"XML:com.adobe.xmp"):
            notes.setdefault(key, _inflate(rest) if packed else rest)


def _inflate(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, _PNG_BYTES)
    except zlib.error:
        return b""


def _from_hexadecimal(profile: bytes) -> bytes:
    """Read a "raw profile": an empty line, its kind, its length, and hexadecimal digits."""
    digits = b"".join(profile.split(b"\n")[3:])
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return b""


def _png_transparency(data: bytes, at: int, end: int) -> bytes | memoryview:
    """Give the transparent colour in the eight bits that pillow compares it in."""
    depth, colours = data[24], data[25]
    body = memoryview(data)[at + 8 : end - 4]
    if len(body) < {0: 2, 2: 6}.get(colours, 0):
        return b""
    values: list[Any] = [int.from_bytes(body[i : i + 2], "big") for i in range(0, len(body), 2)]
    if colours == 0 and depth in (2, 4):
        values = [value % 2**depth * 255 // (2**depth - 1) for value in values]
    elif colours == 2 and depth == 16:
        values = [value >> 8 for value in values]
    else:
        return memoryview(data)[at:end]
    chunk = b"tRNS" + b"".join(value.to_bytes(2, "big") for value in values)
    return struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))


def _bare_avif(data: bytes) -> Bare:
    """Hide EXIF by renaming its item: AVIF turns its pictures by a property of their own."""
    head = re.sub(rb"(infe.{8})Exif", rb"\1none", data[:_HEAD], flags=re.DOTALL)
    exif = _TIFF_START.search(data)
    bare = head + data[_HEAD:] if head != data[:_HEAD] else data
    return Bare(bare, exif=data[exif.start() : exif.start() + _HEAD] if exif else b"")
