"""From bytes to a small upright picture: files of every kind, and what is wrong with them."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

pytest.importorskip("PIL")

from picture_files import encoded, exif, jpeg_with, tiff
from PIL import Image, features

from hashret import _native
from hashret.errors import ImageError, ShapeError
from hashret.images.reading.image import Picture, read_picture
from hashret.images.scaling import shrunk

MANY = 10**8
# Four quarters, so that each turn of it differs: red and green above blue and white.
QUARTERS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
PIXELS = QUARTERS.repeat(32, 0).repeat(48, 1)
IMAGE = Image.fromarray(PIXELS)
GREY = np.linspace(0, 1, 64 * 96).reshape(64, 96)


def read(data: bytes, side: int = 512, max_pixels: int = MANY, suffix: str = "") -> Picture:
    picture = read_picture(data, side, max_pixels, suffix)
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.ndim == 3
    assert picture.pixels.shape[2] == 3
    assert max(picture.pixels.shape[:2]) <= side
    return picture


def close(found: np.ndarray, expected: np.ndarray, most: float = 12) -> bool:
    difference = np.abs(found.astype(int) - expected.astype(int))
    return found.shape == expected.shape and difference.mean() <= most


def exif_of(orientation: int = 1, date: str = "", zone: str = "", tag: int = 0x9003) -> bytes:
    tags = Image.Exif()
    tags[0x112] = orientation
    beneath = tags.get_ifd(0x8769)
    if date:
        (tags if tag == 306 else beneath)[tag] = date
    if zone:
        beneath[0x9011] = zone
    return tags.tobytes()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "TGA", "GIF", "WEBP", "JPEG", "ICO"])
def test_formats(kind):
    image = IMAGE.resize((64, 64)) if kind == "ICO" else IMAGE
    options = {"sizes": [(64, 64)]} if kind == "ICO" else {}
    picture = read(encoded(image, kind, **options))
    assert (picture.format, picture.width, picture.height) == (kind, *image.size)
    assert close(picture.pixels, np.asarray(image))


@pytest.mark.skipif(not features.check("avif"), reason="this pillow reads no AVIF")
def test_avif_with_its_date():
    picture = read(encoded(IMAGE, "AVIF", exif=exif_of(1, "2021:03:04 05:06:07")))
    assert (picture.format, picture.taken) == ("AVIF", "2021-03-04T05:06:07")
    assert close(picture.pixels, PIXELS)


def test_heic():
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    heif.from_pillow(IMAGE).save(buffer, quality=95)
    picture = read(buffer.getvalue())
    assert (picture.format, picture.width, picture.height) == ("HEIF", 96, 64)
    assert close(picture.pixels, PIXELS)


@pytest.mark.parametrize(
    ("head", "extra", "packages"),
    [
        (b"\0\0\0\x18ftypheic" + bytes(40), "heif", ["pi_heif", "pillow_heif"]),
        (b"FUJIFILMCCD-RAW" + bytes(100), "raw", ["rawpy"]),
    ],
)
def test_a_reason_names_the_extra(head, extra, packages, monkeypatch):
    for package in packages:
        monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(ImageError, match=rf"hashret\[{extra}\]"):
        read(head)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations(orientation):
    ways = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: p.transpose(1, 0, 2)[:, ::-1],
        7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
        8: lambda p: p.transpose(1, 0, 2)[::-1],
    }
    upright = ways[orientation](PIXELS)
    for kind in ("JPEG", "PNG", "WEBP"):
        picture = read(encoded(IMAGE, kind, exif=exif_of(orientation)))
        assert close(picture.pixels, upright)
        assert (picture.height, picture.width) == upright.shape[:2]


def test_damaged_exif_loses_no_pixels():
    sound = encoded(IMAGE, "JPEG")
    for damaged in (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", exif([(0x112, 3, [99])])[:20]):
        picture = read(jpeg_with(sound, 0xE1, damaged))
        assert close(picture.pixels, PIXELS)
        assert picture.taken is None


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ({"date": "2020:05:17 12:34:56"}, "2020-05-17T12:34:56"),
        ({"date": "2020:05:17 12:34:56", "zone": "+02:00"}, "2020-05-17T12:34:56+02:00"),
        ({"date": "2019:01:02 03:04:05", "tag": 0x9004}, "2019-01-02T03:04:05"),
        ({"date": "2018:01:02 03:04:05", "tag": 306}, "2018-01-02T03:04:05"),
        ({"date": "0000:00:00 00:00:00"}, None),
        ({"date": "2020:13:45 12:34:56"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_when_it_was_taken(kind, options, taken):
    assert read(encoded(IMAGE, kind, exif=exif_of(**options))).taken == taken


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(Image.fromarray((GREY * 65535).astype(np.uint16)), id="16 bits"),
        pytest.param(Image.fromarray((GREY * 2**31 - 2**30).astype(np.int32)), id="32 bits"),
        pytest.param(Image.fromarray(GREY.astype(np.float32)), id="float 0 to 1"),
        pytest.param(Image.fromarray((GREY * 6e38 - 3e38).astype(np.float32)), id="float, large"),
    ],
)
def test_levels_of_many_bits(image):
    ramp = np.repeat((GREY * 255)[:, :, None], 3, 2)
    assert close(read(encoded(image, "TIFF")).pixels, ramp, 1)


@pytest.mark.parametrize("value", [0.0, 0.5, 7.0, float("nan"), float("inf")])
def test_floating_point_pixels_that_are_all_alike(value):
    image = Image.fromarray(np.full((4, 5), value, np.float32))
    pixels = read(encoded(image, "TIFF")).pixels
    assert pixels.min() == pixels.max()


def test_cmyk_palette_bilevel_and_transparency():
    assert close(read(encoded(IMAGE.convert("CMYK"), "JPEG")).pixels, PIXELS)
    assert close(read(encoded(IMAGE.convert("P"), "PNG")).pixels, PIXELS)
    assert set(np.unique(read(encoded(IMAGE.convert("1"), "PNG")).pixels)) == {0, 255}
    clear = Image.new("RGBA", (8, 6), (255, 0, 0, 0))
    assert (read(encoded(clear, "PNG")).pixels == 255).all()
    palette = Image.new("P", (8, 6), 3)
    assert (read(encoded(palette, "GIF", transparency=3)).pixels == 255).all()


def test_first_frame_of_several():
    second = Image.new("RGB", IMAGE.size)
    for kind in ("GIF", "PNG", "WEBP", "TIFF", "MPO"):
        data = encoded(IMAGE, kind, save_all=True, append_images=[second])
        assert close(read(data).pixels, PIXELS), kind


def test_one_pixel_and_a_thread():
    assert read(encoded(Image.new("RGB", (1, 1), "white"), "PNG")).pixels.tolist() == [[[255] * 3]]
    assert read(encoded(Image.new("RGB", (5000, 1)), "PNG"), 64).pixels.shape == (1, 64, 3)


def test_a_jpeg_at_reduced_scale_counts_what_it_decodes():
    image = Image.new("RGB", (4000, 3000), "red")
    data = encoded(image, "JPEG")
    # At 1/8 if three quarters of the side are left, else at 1/4 and resized.
    for side, decoded, shape in (
        (512, 500 * 375, (375, 500, 3)),
        (700, 1000 * 750, (525, 700, 3)),
    ):
        picture = read(data, side, decoded)
        assert (picture.width, picture.height, picture.pixels.shape) == (4000, 3000, shape)
        with pytest.raises(ImageError, match="too many pixels"):
            read(data, side, decoded - 1)
        with pytest.raises(ImageError, match="too many pixels"):
            read(encoded(image, "JPEG", progressive=True), side, decoded)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture at all",
        encoded(IMAGE, "PNG")[:60],
        encoded(IMAGE, "JPEG")[:300],
        tiff([bytes(2 * 8 * 6)] * 3, (6, 8), 16, samples=3, photometric=2),
    ],
    ids=["empty", "text", "cut PNG", "cut JPEG", "16-bit planes"],
)
def test_unreadable(data):
    with pytest.raises(ImageError):
        read(data)


def test_a_header_alone_allocates_nothing():
    data = encoded(Image.new("RGB", (8, 8)), "BMP")
    bomb = data[:18] + struct.pack("<ii", 50_000, 50_000) + data[26:]
    with pytest.raises(ImageError, match="too many pixels"):
        read(bomb)


SIZES = [
    (500, 750),
    (750, 500),
    (520, 513),
    (1500, 40),
    (40, 1500),
    (600, 3),
    (3, 600),
    (1200, 500),
]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_pixels_are_those_that_pillow_makes_fewer(size):
    rng = np.random.default_rng(size[0])
    image = Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    small = read(encoded(image, "PNG"), 500).pixels
    if int(features.version("pil").split(".")[0]) < 13 and size[0] > 2 * size[1]:
        pytest.skip("it shrank the width of tall pictures first, which is rounded otherwise")
    expected = image.resize(small.shape[1::-1], Image.Resampling.HAMMING)
    assert np.array_equal(small, np.asarray(expected))


def test_white_stays_white_and_shrinking_only_shrinks():
    white = np.full((700, 900, 3), 255, np.uint8)
    assert (read(encoded(Image.fromarray(white), "PNG"), 399).pixels == 255).all()
    with pytest.raises(ShapeError):
        _native.shrink(white, 700, 900, white.copy(), 701, 900, False)
    with pytest.raises(ShapeError):
        _native.shrink(white, 700, 900, white.copy(), 0, 900, False)
    with pytest.raises(ShapeError):
        _native.shrink(white[:699], 700, 900, white.copy(), 10, 10, False)


@pytest.mark.parametrize("count", [300_000, 1_000_000])
def test_white_stays_white_however_many_pixels_become_one(count):
    for shape in ((count, 1, 3), (1, count, 3)):
        assert (shrunk(np.full(shape, 255, np.uint8), 1, 1) == 255).all()
