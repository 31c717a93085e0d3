"""Pictures: whatever pillow reads is read, keeps its levels and its upright side, or is named."""

from __future__ import annotations

import io
import itertools
import os
import socket
import sys
import threading
import tracemalloc
import warnings
from pathlib import Path
from struct import pack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashret.datasets import image_folder, read_image
from hashret.errors import DTypeError, ImageError, ParameterError

pytest.importorskip("PIL", reason="needs the extra 'images'")
from PIL import Image, ImageFile

posix = pytest.mark.skipif(os.name != "posix", reason="such files are POSIX's")
RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (12, 10, 3), np.uint8)
GREYS = RNG.integers(0, 256, (12, 10), np.uint8)
ALPHA = RNG.integers(0, 2, (12, 10), np.uint8) * 255
WHITE_WHERE_CLEAR = np.where(ALPHA[..., None] == 255, COLOURS, 255)

# Formats without loss: how each is written.
LOSSLESS = {
    "PNG": {},
    "TIFF": {},
    "TIFF, LZW": {"compression": "tiff_lzw"},
    "BMP": {},
    "PPM": {},
    "TGA": {},
    "SGI": {},
    "PCX": {},
    "WEBP": {"lossless": True, "exact": True},
    "JPEG2000": {"irreversible": False},
    "QOI": {},
    "DDS": {},
}


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind.partition(",")[0], **LOSSLESS.get(kind, {}) | options)
    return buffer.getvalue()


def as_rgb(greys: np.ndarray) -> np.ndarray:
    return np.repeat(greys[..., None], 3, axis=2)


@pytest.fixture(scope="module", autouse=True)
def all_formats():
    Image.init()


# -- formats, modes, levels ---------------------------------------------------


@pytest.mark.parametrize("kind", LOSSLESS)
def test_colours_come_back_from_every_format(kind):
    np.testing.assert_array_equal(read_image(encoded(Image.fromarray(COLOURS), kind)), COLOURS)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM", "TGA", "SGI", "JPEG2000", "PCX"])
def test_greys_come_back_from_every_format(kind):
    data = encoded(Image.fromarray(GREYS), kind)
    np.testing.assert_array_equal(read_image(data, mode="grey"), GREYS)
    np.testing.assert_array_equal(read_image(data), as_rgb(GREYS))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "TGA", "JPEG2000"])
def test_transparency_lies_over_white_in_every_format(kind):
    image = Image.fromarray(np.dstack([COLOURS, ALPHA]))
    np.testing.assert_array_equal(read_image(encoded(image, kind)), WHITE_WHERE_CLEAR)


def palette(transparent: bool) -> tuple[Image.Image, np.ndarray]:
    image = Image.fromarray(GREYS % 7, "L").convert("P")
    colours = RNG.integers(0, 256, (256, 3), np.uint8)
    image.putpalette(colours.tobytes())
    shown = colours[GREYS % 7]
    if transparent:
        image.info["transparency"] = 3
        shown = np.where((GREYS % 7 == 3)[..., None], 255, shown)
    return image, shown


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palettes_are_looked_up(kind, transparent):
    image, shown = palette(transparent)
    options = {"transparency": 3} if transparent else {}
    np.testing.assert_array_equal(read_image(encoded(image, kind, **options)), shown)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM", "BMP"])
def test_one_bit_is_black_or_white(kind):
    image = Image.fromarray(ALPHA).convert("1")
    np.testing.assert_array_equal(read_image(encoded(image, kind), mode="grey"), ALPHA)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB"])
def test_other_colour_spaces_are_brought_to_rgb(mode):
    wide = np.repeat(np.repeat(COLOURS, 8, axis=0), 8, axis=1)
    if mode == "LAB":
        from PIL import ImageCms

        rgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(Image.fromarray(wide), rgb, lab, outputMode="LAB")
    else:
        image = Image.fromarray(wide).convert(mode)
    error = np.abs(read_image(encoded(image, "TIFF")).astype(int) - wide)
    assert error.mean() < 12


RAMP = np.linspace(0.0, 1.0, 64 * 64).reshape(64, 64)
DEEP = {
    "16 bits, PNG": ("PNG", (RAMP * 65535).astype("u2")),
    "16 bits, TIFF": ("TIFF", (RAMP * 65535).astype("u2")),
    "16 bits, PPM": ("PPM", (RAMP * 65535).astype("u2")),
    "16 bits, big-endian TIFF": ("TIFF", (RAMP * 65535).astype(">u2")),
    "32 bits, to 65,535": ("TIFF", (RAMP * 65535).astype("i4")),
    "32 bits, to 255": ("TIFF", (RAMP * 255).astype("i4")),
    "32 bits, all of them": ("TIFF", (RAMP * (2**32 - 1) - 2**31).astype("i4")),
    "floats, to 1": ("TIFF", RAMP.astype("f4")),
    "floats, to 65,535": ("TIFF", (RAMP * 65535).astype("f4")),
    "floats about 0": ("TIFF", (RAMP - 0.5).astype("f4")),
    "floats, the largest": ("TIFF", ((RAMP - 0.5) * 6e38).astype("f4")),
    "floats, PFM": ("PPM", RAMP.astype("f4")),
}


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("mode", ["grey", "rgb"])
@pytest.mark.parametrize("turn", [1, 6])
def test_deep_pictures_keep_their_levels(name, mode, turn):
    kind, levels = DEEP[name]
    exif = Image.Exif()
    exif[0x0112] = turn
    options = {"exif": exif} if kind != "PPM" else {}
    pixels = read_image(encoded(Image.fromarray(levels), kind, **options), mode=mode)
    pixels = pixels if mode == "grey" else pixels[..., 0]
    if turn == 6 and kind != "PPM":
        pixels = np.rot90(pixels)
    # Either the high byte or the nearest level of 255.
    assert np.abs(pixels - RAMP * 255).max() <= 1
    assert len(np.unique(pixels)) == 256


@given(st.lists(st.floats(width=32, allow_nan=True, allow_infinity=True), min_size=4, max_size=4))
@settings(max_examples=50, deadline=None)
def test_floats_of_any_value_are_in_order_or_refused(values):
    levels = np.array(values, "f4").reshape(2, 2)
    data = encoded(Image.fromarray(levels), "TIFF")
    finite = np.isfinite(levels)
    if not finite.any():
        with pytest.raises(ImageError, match="no finite pixel"):
            read_image(data)
        return
    pixels = read_image(data, mode="grey").astype(int)
    order = np.argsort(levels[finite], kind="stable")
    assert (np.diff(pixels[finite][order]) >= 0).all()
    assert (pixels[~finite] == 0).all()


def tiff(**options: object) -> bytes:
    writer = pytest.importorskip("tifffile", reason="writes such TIFF")
    buffer = io.BytesIO()
    writer.imwrite(buffer, **options)
    return buffer.getvalue()


def test_white_is_zero_where_tiff_says_so():
    levels = (RAMP * 65535).astype("u2")
    pixels = read_image(tiff(data=levels, photometric="miniswhite"), mode="grey")
    assert np.abs(pixels - (1 - RAMP) * 255).max() <= 1


def test_samples_of_16_bits_keep_their_high_byte_or_are_refused():
    wide = COLOURS.astype("u2") * 257
    together = tiff(data=wide, photometric="rgb", planarconfig="contig")
    np.testing.assert_array_equal(read_image(together), COLOURS)
    apart = tiff(data=wide.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    with pytest.raises(ImageError, match="planes of 16 bits"):
        read_image(apart)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("dtype", ["u4", "i4", "i2", "f4"])
def test_levels_of_tiff_keep_their_order(dtype, photometric):
    lowest, highest = (-3.0, 5e6) if dtype == "f4" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    levels = np.linspace(lowest, highest, 240).astype(dtype).reshape(12, 20)
    data = tiff(data=levels, photometric=photometric)
    if dtype[0] in "ui" and photometric == "miniswhite":  # which pillow does not read
        with pytest.raises(ImageError, match="begins as TIFF: unknown pixel mode"):
            read_image(data)
        return
    pixels = read_image(data, mode="grey").ravel().tolist()
    assert pixels == sorted(pixels, reverse=photometric == "miniswhite")
    assert {pixels[0], pixels[-1]} == {0, 255}


def test_signed_bytes_are_refused():
    levels = np.arange(-120, 120, dtype="i1").reshape(12, 20)
    with pytest.raises(ImageError, match="signed bytes"):
        read_image(tiff(data=levels))


@pytest.mark.parametrize("mode", ["rgb", "grey"])
@pytest.mark.parametrize("space", ["LAB", "HSV", "YCbCr", "CMYK"])
def test_colour_spaces_are_read_in_both_modes(space, mode):
    cms = pytest.importorskip("PIL.ImageCms")
    image = Image.fromarray(COLOURS)
    if space == "LAB":
        profiles = cms.createProfile("sRGB"), cms.createProfile("LAB")
        other = cms.profileToProfile(image, *profiles, outputMode="LAB")
    else:
        other = image.convert(space)
    buffer = io.BytesIO()
    try:
        other.save(buffer, "TIFF")
    except OSError:
        pytest.skip(f"pillow writes no TIFF of {space}")
    assert read_image(buffer.getvalue(), mode=mode).shape[:2] == (12, 10)


def test_a_kind_that_pillow_lacks_is_named_by_its_format():
    with pytest.raises(ImageError, match="begins as TIFF"):
        read_image(tiff(data=np.zeros((4, 4), "f8")))


def test_a_clear_level_of_16_bits_is_white():
    levels = np.array([[0, 300], [300, 65535]], "u2")
    data = encoded(Image.fromarray(levels), "PNG", transparency=300)
    assert read_image(data, mode="grey").tolist() == [[0, 255], [255, 255]]


def test_programs_are_not_run(tmp_path):
    postscript = encoded(Image.fromarray(COLOURS), "EPS")
    for suffix in (".eps", ".png"):
        (tmp_path / f"a{suffix}").write_bytes(postscript)
        with pytest.raises(ImageError, match="not a readable image"):
            read_image(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_all_that_holds_bytes_is_read(kind):
    data = encoded(Image.fromarray(COLOURS), "PNG")
    np.testing.assert_array_equal(read_image(kind(data)), COLOURS)
    for wrong in (None, 5, COLOURS, io.BytesIO(data)):
        with pytest.raises(DTypeError, match="source: expected a path or bytes"):
            read_image(wrong)


def test_of_an_animation_the_first_frame_counts():
    first, second = Image.fromarray(COLOURS), Image.new("RGB", (10, 12))
    data = encoded(first, "PNG", save_all=True, append_images=[second])
    np.testing.assert_array_equal(read_image(data), COLOURS)


def test_what_lies_under_transparency_is_not_seen():
    clear = np.dstack([COLOURS, ALPHA])
    other = np.where((ALPHA == 0)[..., None], np.dstack([255 - COLOURS, ALPHA]), clear)
    for size, mode in itertools.product([None, (7, 5)], ["rgb", "grey"]):
        one, two = (
            read_image(encoded(Image.fromarray(pixels.astype(np.uint8)), "PNG"), size, mode=mode)
            for pixels in (clear, other)
        )
        np.testing.assert_array_equal(one, two)


# -- names and suffixes -------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "JPEG2000", "AVIF"])
@pytest.mark.parametrize(
    "suffix", ["", ".jfif", ".jpe", ".png", ".JPG", ".heic", ".txt", ".xyz", ".bak", ".mp4"]
)
def test_a_suffix_changes_nothing(tmp_path, kind, suffix):
    if kind == "AVIF" and "AVIF" not in Image.SAVE:
        pytest.skip("pillow was built without it")
    data = encoded(Image.fromarray(COLOURS), kind)
    (tmp_path / f"a{suffix}").write_bytes(data)
    found = image_folder(tmp_path)
    assert found.names == (f"a{suffix}",)
    np.testing.assert_array_equal(found.images[0], read_image(data))


def test_every_picture_is_read_or_named(tmp_path):
    """Whatever has a picture's suffix, or begins like one, is in one of the two lists."""
    suffixes = {s for s, name in Image.registered_extensions().items() if name in Image.OPEN}
    suffixes -= {".mpg", ".mpeg", ".h5", ".hdf", ".bufr", ".grib", ".wmf", ".emf"}
    for suffix in suffixes | {".heic", ".heif", ".nef", ".cr2", ".dng", ".svg", ".jxl"}:
        (tmp_path / f"broken{suffix}").write_bytes(b"no picture")
    (tmp_path / "begins").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    (tmp_path / "sound.png").write_bytes(encoded(Image.fromarray(COLOURS), "PNG"))
    there = {path.name for path in tmp_path.iterdir()}
    for name, content in {
        "a.txt": b"text",
        "b.json": b"{}",
        "c.mp4": b"\0\0\0\x18ftypmp42" + bytes(16),
        "d.h": b"#define A 1\n",
        "e.xmp": b"<x:xmpmeta/>",
        "f": b"",
        ".hidden.png": b"x",
    }.items():
        (tmp_path / name).write_bytes(content)
    found = image_folder(tmp_path, errors="skip")
    assert found.names == ("sound.png",)
    assert [name for name, _ in found.skipped] == sorted(there - {"sound.png"})
    assert all(name in reason for name, reason in found.skipped)
    with pytest.raises(ImageError, match="begins"):
        image_folder(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.heic", b"\0\0\0\x18ftypheic" + bytes(64), r"hashret\[heif\]"),
        ("a", b"\0\0\0\x18ftypmif1" + bytes(64), r"hashret\[heif\]"),
        ("a.nef", b"nothing", "RAW"),
        ("a.svg", b"<svg/>", "does not read"),
        ("a.png", b"", "empty"),
    ],
)
def test_the_reason_says_what_would_help(tmp_path, monkeypatch, name, content, reason):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=reason):
        read_image(tmp_path / name)


def test_heif_is_read_by_its_extra_alone(tmp_path):
    pytest.importorskip("pi_heif", reason="needs the extra 'heif'")
    writer = pytest.importorskip("pillow_heif", reason="writes HEIF")
    smooth = np.asarray(Image.fromarray(COLOURS).resize((64, 48)))
    formats = list(Image.ID)
    exif = Image.Exif()
    exif[0x0112] = 6
    writer.from_pillow(Image.fromarray(smooth)).save(tmp_path / "a.heic", quality=90)
    turned = io.BytesIO()
    writer.from_pillow(Image.fromarray(smooth)).save(turned, exif=exif.tobytes())
    found = image_folder(tmp_path)
    assert np.abs(found.images[0].astype(int) - smooth).mean() < 12
    assert read_image(turned.getvalue()).shape == (64, 48, 3)
    assert formats == Image.ID


@posix
def test_names_of_any_bytes_are_read_and_can_be_printed(tmp_path):
    good, bad = os.fsdecode(b"\xff\xe9.png"), os.fsdecode(b"\xff\n\x1b.png")
    try:
        (tmp_path / good).write_bytes(encoded(Image.fromarray(COLOURS), "PNG"))
    except OSError:
        pytest.skip("this file system wants UTF-8")
    (tmp_path / bad).write_bytes(b"x")
    found = image_folder(tmp_path, errors="skip")
    assert found.names == (good,)
    [(name, reason)] = found.skipped
    assert name == bad
    assert reason.isprintable()


# -- metadata -----------------------------------------------------------------

TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
    8: lambda a: np.rot90(a),
    9: lambda a: a,
    0: lambda a: a,
    0xFFFF: lambda a: a,
}


def directory(order: str, *entries: bytes) -> bytes:
    head = {"<": b"II*\0", ">": b"MM\0*"}[order]
    count = pack(order + "H", len(entries))
    return b"Exif\0\0" + head + pack(order + "I", 8) + count + b"".join(entries) + bytes(4)


def orientation(order: str, value: int) -> bytes:
    return pack(order + "HHIHH", 0x0112, 3, 1, value, 0)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("turn", TURNS)
def test_pictures_are_turned_as_exif_tells(kind, turn, order):
    data = encoded(Image.fromarray(COLOURS), kind, exif=directory(order, orientation(order, turn)))
    bare = read_image(encoded(Image.fromarray(COLOURS), kind))
    np.testing.assert_array_equal(read_image(data), TURNS[turn](bare))


@pytest.mark.parametrize("turn", range(1, 9))
def test_tiff_is_turned_once(turn):
    data = encoded(Image.fromarray(COLOURS), "TIFF", tiffinfo={0x0112: turn})
    np.testing.assert_array_equal(read_image(data), TURNS[turn](COLOURS))


def test_xmp_turns_where_exif_says_nothing():
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    data = encoded(Image.fromarray(COLOURS), "WEBP", xmp=xmp)
    np.testing.assert_array_equal(read_image(data), TURNS[6](COLOURS))


RESOLUTION = pack("<HHII", 0x011A, 5, 1, 0x32323232)  # a fraction far behind the end


# Pillow warns of some; who has made warnings errors gets an error.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("exif", "turned"),
    [
        (b"Exif\0\0not a tiff header", False),
        (b"Exif\0\0", False),
        (b"Exif\0\0II*\0", False),
        (b"Exif\0\0II*\0\xff\xff\xff\xff", False),
        (directory("<", orientation("<", 6), RESOLUTION), True),
        (directory("<", RESOLUTION, orientation("<", 6)), True),
        (directory("<", orientation("<", 6))[:-8], False),
        (b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + orientation("<", 6), True),
    ],
)
def test_damaged_exif_costs_no_pixels(kind, exif, turned):
    for options in ({"dpi": (72, 72)}, {}):
        data = encoded(Image.fromarray(COLOURS), kind, exif=exif, **options)
        assert read_image(data).shape == ((10, 12, 3) if turned else (12, 10, 3))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_exif_leaves_the_pixels(data):
    whole = bytearray(directory("<", orientation("<", 3), RESOLUTION, orientation("<", 6)))
    for place in data.draw(st.lists(st.integers(6, len(whole) - 1), max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    kept = data.draw(st.integers(6, len(whole)))
    picture = encoded(Image.fromarray(COLOURS), "PNG", exif=bytes(whole[:kept]))
    pixels = read_image(picture)
    assert any(np.array_equal(pixels, turn(COLOURS)) for turn in TURNS.values())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_bytes_behind_the_end_change_nothing(kind):
    data = encoded(Image.fromarray(COLOURS), kind)
    np.testing.assert_array_equal(read_image(data + b"trailing" * 100), read_image(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "JPEG2000"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_pictures_that_end_early_are_refused(kind, share):
    big = Image.fromarray(RNG.integers(0, 256, (64, 64, 3), np.uint8))
    data = encoded(big, kind)
    with pytest.raises(ImageError, match="not a readable image"):
        read_image(data[: int(len(data) * share)])


# -- limits -------------------------------------------------------------------


@pytest.fixture(scope="module")
def large():
    """A JPEG and a PNG of a million pixels."""
    image = Image.new("L", (1000, 1000), 77)
    made = {kind: encoded(image, kind) for kind in ("JPEG", "PNG")}
    return made | {"progressive JPEG": encoded(image, "JPEG", progressive=True)}


def test_the_pixels_that_are_decoded_count(large):
    assert read_image(large["JPEG"], (60, 60), max_pixels=125 * 125).shape == (60, 60, 3)
    assert read_image(large["PNG"], (60, 60), max_pixels=1000 * 1000).shape == (60, 60, 3)
    for kind, size, limit in [
        ("progressive JPEG", (60, 60), 999_999),
        ("JPEG", (60, 60), 125 * 125 - 1),
        ("JPEG", None, 999_999),
        ("PNG", (60, 60), 999_999),
    ]:
        with pytest.raises(ImageError, match=r"too many pixels: .* see max_pixels="):
            read_image(large[kind], size, max_pixels=limit)


def test_pillows_limit_counts_where_none_is_given(large, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)
    assert read_image(large["JPEG"], (60, 60)).shape == (60, 60, 3)
    with pytest.raises(ImageError, match="more than 20,000"):
        read_image(large["PNG"], (60, 60))
    assert read_image(large["PNG"], (60, 60), max_pixels=10**6).shape == (60, 60, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert read_image(large["PNG"], (60, 60)).shape == (60, 60, 3)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_pixels": 0}, ParameterError),
        ({"max_pixels": 1.5}, DTypeError),
        ({"max_pixels": True}, DTypeError),
        ({"size": 5}, ParameterError),
        ({"size": (5,)}, ParameterError),
        ({"size": (5, 0)}, ParameterError),
        ({"size": (5, 2.0)}, ParameterError),
        ({"size": "55"}, ParameterError),
        ({"size": (9500, 9500)}, ParameterError),
        ({"size": (30, 40), "max_pixels": 1199}, ParameterError),
    ],
)
def test_limits_and_sizes_that_are_none_are_named(large, options, error):
    with pytest.raises(error, match=next(iter(options))):
        read_image(large["JPEG"], **options)


@pytest.mark.parametrize("errors", ["raise", "skip"])
@pytest.mark.parametrize("order", list(itertools.permutations(["big", "small", "small too"])))
def test_several_sizes_are_one_error_whichever_is_first(tmp_path, errors, order):
    for number, name in enumerate(order):
        side = 2000 if name == "big" else 4
        Image.new("L", (side, side)).save(tmp_path / f"{number}.png")
    for number in range(3, 60):
        Image.new("L", (4, 4)).save(tmp_path / f"{number:03}.png")
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=r"several sizes need size="):
            image_folder(tmp_path, errors=errors)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # One large picture three times over, where an array for all would take 720 MB.
    assert peak < 40e6
    assert image_folder(tmp_path, size=(4, 4)).images.shape == (60, 4, 4, 3)


def test_more_images_than_fit_say_how_much_they_take(tmp_path, monkeypatch):
    for number in range(3):
        Image.new("L", (8, 8)).save(tmp_path / f"{number}.png")
    empty = np.empty

    def small(shape, *options, **more):
        if np.prod(shape) >= 3 * 8 * 8 * 3:
            raise MemoryError
        return empty(shape, *options, **more)

    monkeypatch.setattr(np, "empty", small)
    with pytest.raises(MemoryError, match=r"3 images of \(8, 8, 3\).*size="):
        image_folder(tmp_path)


# -- what is no file, or goes -------------------------------------------------


def special(kind: str, path: Path) -> socket.socket | None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "dangling link":
        path.symlink_to("nowhere")
    elif kind == "circle":
        path.symlink_to(path.name)
    elif kind == "socket":
        listener = socket.socket(socket.AF_UNIX)
        # Sockets have short names.
        before = os.getcwd()
        os.chdir(path.parent)
        try:
            listener.bind(path.name)
        finally:
            os.chdir(before)
        return listener
    return None


@posix
@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "dangling link", "circle"])
def test_what_is_no_file_is_named_at_once(tmp_path, kind):
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    held = [special(kind, tmp_path / name) for name in ("x.png", "no-picture")]
    said = []

    def read() -> None:
        said.append(image_folder(tmp_path, errors="skip"))
        try:
            read_image(tmp_path / "x.png")
        except ImageError as error:
            said.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(10)
    for listener in filter(None, held):
        listener.close()
    assert not reader.is_alive()
    found, error = said
    assert found.names == ("a.png",)
    assert [name for name, _ in found.skipped] == ["x.png"]
    assert "x.png" in str(error)


def test_a_folder_with_a_pictures_name_is_a_folder(tmp_path):
    (tmp_path / "x.png").mkdir()
    Image.fromarray(COLOURS).save(tmp_path / "x.png" / "a.png")
    assert image_folder(tmp_path).names == ("x.png/a.png",)
    with pytest.raises(ImageError, match="is a folder, not a file"):
        read_image(tmp_path / "x.png")


@pytest.mark.parametrize("error", [PermissionError, FileNotFoundError])
def test_a_folder_that_cannot_be_listed_is_told(tmp_path, monkeypatch, error):
    for name in "abc":
        (tmp_path / name).mkdir()
        Image.fromarray(COLOURS).save(tmp_path / name / "1.png")
    scandir = os.scandir

    def refuse(path):
        if os.fspath(path) == str(tmp_path / "b"):
            raise error(13, "not now", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = image_folder(tmp_path, errors="skip")
    assert found.names == ("a/1.png", "c/1.png")
    assert found.skipped == (("b/", "b/: cannot be listed: not now"),)
    with pytest.raises(ImageError, match="b/: cannot be listed"):
        image_folder(tmp_path)


def test_a_picture_that_goes_meanwhile_is_told(tmp_path):
    for name in "abc":
        Image.fromarray(COLOURS).save(tmp_path / f"{name}.png")
    found = image_folder(
        tmp_path,
        errors="skip",
        progress=lambda done, _: done == 1 and (tmp_path / "b.png").unlink(),
    )
    assert found.names == ("a.png", "c.png")
    assert [name for name, _ in found.skipped] == ["b.png"]


# -- the process --------------------------------------------------------------


def test_reading_in_threads_leaves_no_trace(large):
    """Damaged, large and sound pictures at once: right results, and nothing global moved."""

    def state():
        formats = list(Image.ID), dict(Image.EXTENSION)
        limits = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        return warnings.filters[:], warnings.showwarning, formats, limits, dict(os.environ)

    sound = encoded(Image.fromarray(COLOURS), "PNG", exif=b"Exif\0\0damaged")
    cut = sound[: len(sound) // 2]
    before, wrong = state(), []

    def work(number: int) -> None:
        for _ in range(10):
            try:
                if not np.array_equal(read_image(sound), COLOURS):
                    wrong.append("pixels")
                if number % 2:
                    read_image(large["PNG"], max_pixels=10)
                else:
                    read_image(cut)
                wrong.append("no error")
            except ImageError:
                pass
            if state() != before:
                wrong.append("a trace")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
