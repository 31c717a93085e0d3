"""Pictures whose pixels are sound are read, whatever lies beside the pixels."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashret.datasets import read_image
from hashret.errors import ImageError

pytest.importorskip("PIL", reason="needs the extra 'images'")
from PIL import Image

# Pillow warns of some; who has made warnings errors gets an error.
pytestmark = pytest.mark.filterwarnings("ignore")
COLOURS = np.random.default_rng(0).integers(0, 256, (8, 16, 3), np.uint8)
TURN_LEFT = b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
LONG = zlib.compress(b"x" * (2 << 20))


def chunk(kind: bytes, data: bytes, crc: int | None = None) -> bytes:
    checked = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checked)


def png(before: bytes = b"", after: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 8, 8, 2, 0, 0, 0))
    rows = b"".join(b"\0" + row.tobytes() for row in COLOURS)
    parts = header, before, chunk(b"IDAT", zlib.compress(rows)), after, chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def jpeg(*segments: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(COLOURS).save(buffer, "JPEG")
    return buffer.getvalue()[:2] + b"".join(segments) + buffer.getvalue()[2:]


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


CHUNKS = {
    "text with a wrong checksum": chunk(b"tEXt", b"a\0b", crc=0),
    "text of more than a megabyte": chunk(b"zTXt", b"a\0\0" + LONG),
    "XMP of more than a megabyte": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LONG),
    "text that is not packed": chunk(b"zTXt", b"a\0\0junk"),
    "text packed in another way": chunk(b"zTXt", b"a\0\5junk"),
    "a large profile": chunk(b"iCCP", b"a\0\0" + LONG),
    **{f"an empty {kind}": chunk(kind.encode(), b"") for kind in
       ("iCCP", "gAMA", "cHRM", "sRGB", "pHYs", "eXIf", "tIME", "bKGD", "tEXt", "acTL")},
    "an animation without frames": chunk(b"acTL", bytes(8)) + chunk(b"fcTL", b"\0"),
    "transparency cut short": chunk(b"tRNS", b"\0\0\0"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHUNKS)
def test_chunks_beside_the_pixels_of_png(name):
    for data in (png(before=CHUNKS[name]), png(after=CHUNKS[name])):
        np.testing.assert_array_equal(read_image(data), COLOURS)


def test_png_is_turned_though_its_text_is_damaged():
    damaged = CHUNKS["text with a wrong checksum"]
    pixels = read_image(png(before=damaged + chunk(b"eXIf", TURN_LEFT)))
    np.testing.assert_array_equal(pixels, np.rot90(COLOURS, -1))


def test_pixels_of_png_with_a_wrong_checksum_are_refused():
    whole = png()
    place = whole.index(b"IDAT") + 20
    with pytest.raises(ImageError, match="not a readable image"):
        read_image(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])


@pytest.mark.parametrize("marker", [0xE0, 0xE1, 0xE2, 0xEC, 0xED, 0xEE, 0xFE])
@pytest.mark.parametrize(
    "data",
    [b"", b"JFIF", b"JFIF\0", b"Exif\0\0", b"ICC_PROFILE\0", b"ICC_PROFILE\0\2\5xx", b"Adobe",
     b"MPF\0junk", b"Photoshop 3.0\0", b"Photoshop 3.0\08BIM\4\4\0\0\xff\xff\xff\xff"],
)  # fmt: skip
def test_segments_beside_the_pixels_of_jpeg(marker, data):
    np.testing.assert_array_equal(read_image(jpeg(segment(marker, data))), read_image(jpeg()))


def test_jpeg_is_turned_though_its_profile_is_damaged():
    damaged, exif = segment(0xE2, b"ICC_PROFILE\0"), segment(0xE1, b"Exif\0\0" + TURN_LEFT)
    expected = np.rot90(read_image(jpeg()), -1)
    np.testing.assert_array_equal(read_image(jpeg(damaged, b"\xff", exif)), expected)


@given(st.lists(st.tuples(st.sampled_from([*range(0xE0, 0xF0), 0xFE]), st.binary(max_size=40))))
@settings(max_examples=60, deadline=None)
def test_any_segments_leave_the_pixels(segments):
    # The last of those that tell how colours are meant is the encoder's own.
    given_ones = [segment(marker, data) for marker, data in segments]
    np.testing.assert_array_equal(read_image(jpeg(*given_ones)), read_image(jpeg()))


@given(st.lists(st.tuples(st.sampled_from(b"tEXt zTXt iTXt iCCP gAMA pHYs tIME".split()),
                          st.binary(max_size=40), st.sampled_from([None, 0]))))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_chunks_leave_the_pixels(chunks):
    given_ones = b"".join(chunk(*each) for each in chunks)
    np.testing.assert_array_equal(read_image(png(before=given_ones)), COLOURS)
