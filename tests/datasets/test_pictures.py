"""One picture, from bytes to pixels: of every kind, damaged beside its pixels, or far too large."""

from __future__ import annotations

import io
import struct
import threading
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("PIL")

from picture_files import (
    encoded,
    exif,
    jpeg_with,
    png,
    png_chunk,
    rgb_png,
    tiff,
)
from PIL import Image, ImageCms, ImageFile

from hashret.datasets import read_image
from hashret.errors import DTypeError, ImageError, ParameterError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 8, 3), np.uint8)
RAMP = np.linspace(0, 1, 64 * 64).reshape(64, 64)
ORIENTATION = 0x112


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    """What pillow warns of must neither reach the caller nor decide what is read."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def grey_ramp(bits: int) -> np.ndarray:
    return (RAMP * (2**bits - 1)).astype(np.uint32)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize(
    ("kind", "sample_format"),
    [("u1", 1), ("u2", 1), ("u4", 1), ("i1", 2), ("i2", 2), ("i4", 2), ("f2", 3), ("f4", 3)],
)
def test_levels_of_a_tiff_are_kept_or_refused_by_mode(
    order: str, photometric: int, kind: str, sample_format: int
) -> None:
    bits = 8 * int(kind[1])
    top = {1: 2.0**bits - 1, 2: 2.0 ** (bits - 1) - 1, 3: 1.0}[sample_format]
    values = (RAMP * top).astype(order + kind)
    form = {"order": order, "photometric": photometric, "sample_format": sample_format}
    data = tiff([values.tobytes()], RAMP.shape, bits, **form)
    # Pillow has no mode for 16 bits in the order of Motorola where 0 is white.
    if sample_format > 1 or bits > 16 or (photometric, order, bits) == (0, ">", 16):
        with pytest.raises(ImageError, match="mode"):
            read_image(data, mode="grey")
        return
    levels = values >> (bits - 8)
    np.testing.assert_array_equal(
        read_image(data, mode="grey"), levels if photometric else 255 - levels
    )


def test_12_bits_have_a_range_of_their_own() -> None:
    values = grey_ramp(12)
    first, second = values[:, ::2], values[:, 1::2]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1).astype(
        np.uint8
    )
    read = read_image(tiff([packed.tobytes()], RAMP.shape, 12), mode="grey")
    np.testing.assert_array_equal(read, values >> 4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
def test_planes_of_a_tiff_are_put_together_or_refused(order: str, bits: int) -> None:
    colours = RNG.integers(0, 2**bits, (6, 8, 3)).astype(f"{order}u{bits // 8}")
    planes = [colours[..., channel].tobytes() for channel in range(3)]
    form = {"order": order, "photometric": 2, "samples": 3}
    together = tiff([colours.tobytes()], (6, 8), bits, **form)
    np.testing.assert_array_equal(read_image(together), colours >> (bits - 8))
    if bits == 8:
        np.testing.assert_array_equal(read_image(tiff(planes, (6, 8), 8, **form)), colours)
    else:
        with pytest.raises(ImageError, match="mode RGB"):
            read_image(tiff(planes, (6, 8), 16, **form))


@pytest.mark.parametrize(
    ("data", "grey"),
    [
        (b"P5 2 1 4095\n" + struct.pack(">HH", 2048, 4095), [128, 255]),
        (b"P5 2 1 65535\n" + struct.pack(">HH", 2048, 65535), [8, 255]),
        (b"P2 2 1 65535\n2048 65535\n", [8, 255]),
        (png([struct.pack(">HH", 2048, 65535)], 2, 16, 0), [8, 255]),
        (png([struct.pack(">HHHH", 2048, 65535, 65535, 0)], 2, 16, 4), [8, 255]),
        (png([struct.pack(">6H", *[2048] * 3, *[65535] * 3)], 2, 16, 2), [8, 255]),
        (encoded(Image.fromarray(np.array([[2048, 65535]], np.uint16)), "JPEG2000"), [8, 255]),
    ],
)
def test_16_bits_are_scaled_by_their_full_range(data: bytes, grey: list[int]) -> None:
    assert read_image(data, mode="grey").tolist() == [grey]


@pytest.mark.parametrize("kind", ["TIFF", "SPIDER"])
@pytest.mark.parametrize("top", [1, 255, 65535])
def test_floating_point_is_refused_by_mode(kind: str, top: int) -> None:
    data = encoded(Image.fromarray((RAMP * top).astype(np.float32)), kind)
    with pytest.raises(ImageError, match="mode F"):
        read_image(data)


@pytest.mark.parametrize("bits", [16, 32, -32])
def test_signed_pixels_of_telescopes_are_refused_by_mode(bits: int) -> None:
    kind = {16: ">i2", 32: ">i4", -32: ">f4"}[bits]
    cards = {"SIMPLE": "T", "BITPIX": bits, "NAXIS": 2, "NAXIS1": 64, "NAXIS2": 64}
    header = "".join(f"{key:8}= {value!s:>20}".ljust(80) for key, value in cards.items())
    data = (header + "END").ljust(2880).encode() + RAMP.astype(kind).tobytes()
    with pytest.raises(ImageError, match="mode"):
        read_image(data.ljust(-(-len(data) // 2880) * 2880, b"\0"))


def test_lab_and_premultiplied_alpha_become_what_they_show() -> None:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(*profiles, "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.new("RGB", (4, 5), (200, 30, 60)), transform)
    read = read_image(encoded(lab, "TIFF")).astype(int)
    assert np.abs(read - (200, 30, 60)).max() <= 2
    half = np.tile(np.array([50, 128], np.uint8), (6, 8, 1))
    for extra, shown in ((1, 50 + 127), (2, 50 * 128 // 255 + 127)):
        data = tiff([half.tobytes()], (6, 8), 8, samples=2, tags=[(338, 3, [extra])])
        assert np.abs(read_image(data, mode="grey").astype(int) - shown).max() <= 1


@pytest.mark.parametrize("scale", [1, 257])
def test_a_colour_map_may_be_of_8_or_16_bits(scale: int) -> None:
    indices = np.arange(48, dtype=np.uint8).reshape(6, 8)
    colours = RNG.integers(0, 256, (3, 256))
    tags = [(320, 3, (colours * scale).ravel().tolist())]
    read = read_image(tiff([indices.tobytes()], (6, 8), 8, photometric=3, tags=tags))
    np.testing.assert_array_equal(read, colours.T[indices])


@pytest.mark.parametrize("alpha", [0, 255])
@pytest.mark.parametrize("kind", ["TGA", "BMP"])
def test_a_filler_is_not_taken_for_transparency(kind: str, alpha: int) -> None:
    rows = PIXELS[::-1, :, ::-1]
    body = np.dstack([rows, np.full((6, 8, 1), alpha, np.uint8)]).tobytes()
    if kind == "TGA":
        head = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 8, 6, 32, 0)
    else:
        head = struct.pack("<IiiHHIIiiII", 108, 8, 6, 1, 32, 3, len(body), 0, 0, 0, 0)
        masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        head += (masks + b"BGRs").ljust(68, b"\0")
        head = struct.pack("<2sIHHI", b"BM", 122 + len(body), 0, 0, 122) + head
    np.testing.assert_array_equal(read_image(head + body), PIXELS)


@pytest.mark.parametrize("shape", ["RGB", "grey"])
@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_the_transparent_colour_of_a_png_is_white_at_every_depth(depth: int, shape: str) -> None:
    if shape == "RGB" and depth < 8:
        return
    channels, top = (3 if shape == "RGB" else 1), 2**depth - 1
    clear, other = top // 3, top
    samples = [clear] * channels + [other] * channels + [0] * channels + [clear] * channels
    bits = "".join(f"{sample:0{depth}b}" for sample in samples)
    row = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    transparent = png_chunk(b"tRNS", struct.pack(f">{channels}H", *[clear] * channels))
    data = png([row], 4, depth, 2 if channels == 3 else 0, before=transparent)
    # With one bit, the transparent colour is the black of the third.
    assert read_image(data, mode="grey")[0].tolist() == [255, 255, 255 * (depth == 1), 255]


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    pixels = pixels[:, ::-1] if orientation in (2, 4, 5, 7) else pixels
    return np.rot90(pixels, {3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}.get(orientation, 0))


def with_exif(kind: str, record: bytes) -> tuple[bytes, np.ndarray]:
    """A picture of a format with EXIF, and its pixels before they are turned."""
    picture = Image.fromarray(PIXELS)
    if kind == "PNG":
        return rgb_png(PIXELS, after=png_chunk(b"eXIf", record[6:])), PIXELS
    if kind == "WEBP":
        return encoded(picture, "WEBP", lossless=True, exif=record), PIXELS
    plain = encoded(picture, "JPEG")
    return jpeg_with(plain, 0xE1, record), np.asarray(Image.open(io.BytesIO(plain)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", [*range(10), 255, 65535])
def test_orientation_is_read_past_other_damage(kind: str, order: str, orientation: int) -> None:
    tags = [
        (ORIENTATION, 3, [orientation]),
        (0x11A, 2, list(b"72\0")),
        (0x11B, 5, [72, 0]),
        (0x128, 3, [99]),
    ]
    if kind == "TIFF":
        form = {"order": order, "photometric": 2, "samples": 3}
        data, plain = tiff([PIXELS.tobytes()], (6, 8), 8, **form, tags=tags), PIXELS
    else:
        record = exif([*tags, (0x8769, 4, [2**31]), (0x9286, 7, [1] * 9)], order)
        # The values beside the directory are cut off.
        data, plain = with_exif(kind, record[:-5])
    np.testing.assert_array_equal(read_image(data), turned(plain, orientation))


def test_orientation_is_read_from_xmp_and_from_raw_profiles() -> None:
    xmp = b'<rdf tiff:Orientation="6"/>'
    plain = encoded(Image.fromarray(PIXELS), "JPEG")
    record = exif([(ORIENTATION, 3, [6])])
    text = b"XML:com.adobe.xmp\0\0\0\0\0"
    profile = b"\nexif\n%8d\n%s\n" % (len(record), record.hex().encode())
    for data in (
        jpeg_with(plain, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp),
        rgb_png(PIXELS, before=png_chunk(b"iTXt", text + xmp, sound=False)),
        rgb_png(
            PIXELS, after=png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile))
        ),
        tiff(
            [PIXELS.tobytes()],
            (6, 8),
            8,
            photometric=2,
            samples=3,
            tags=[(700, 1, list(xmp)), (0x128, 3, [99])],
        ),
    ):
        assert read_image(data).shape == (8, 6, 3)
    assert read_image(jpeg_with(plain, 0xE1, b"Exif\0\0nothing")).shape == (6, 8, 3)


JUNK = st.one_of(
    st.binary(max_size=60),
    st.tuples(
        st.sampled_from(
            [
                b"Exif\0\0",
                b"Exif\0\0II*\0\x08\0\0\0",
                b"ICC_PROFILE\0\x01",
                b"MPF\0II*\0\x08\0\0\0",
                b"Photoshop 3.0\x008BIM",
                b"http://ns.adobe.com/xap/1.0/\0",
                b"XML:com.adobe.xmp\0\1\0\0\0",
                b"k\0\0",
            ]
        ),
        st.binary(max_size=40),
    ).map(b"".join),
)


@settings(max_examples=150, deadline=None)
@given(junk=JUNK, marker=st.sampled_from([*range(0xE1, 0xEE), 0xEF, 0xFE]), tail=st.binary())
def test_damage_beside_the_pixels_of_a_jpeg_is_harmless(
    junk: bytes, marker: int, tail: bytes
) -> None:
    plain = encoded(Image.fromarray(PIXELS), "JPEG")
    read = read_image(jpeg_with(plain, marker, junk) + tail)
    if b"\x12" not in junk:  # no orientation by chance
        np.testing.assert_array_equal(read, read_image(plain))


KINDS = [b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"pHYs", b"iCCP", b"gAMA", b"cHRM", b"sRGB"]
KINDS += [
    b"IHDR",
    b"PLTE",
    b"acTL",
    b"fcTL",
    b"fdAT",
    b"tIME",
    b"bKGD",
    b"hIST",
    b"sPLT",
    b"prVt",
    b"zzZz",
]


@settings(max_examples=150, deadline=None)
@given(junk=JUNK, kind=st.sampled_from(KINDS), sound=st.booleans(), late=st.booleans())
def test_damage_beside_the_pixels_of_a_png_is_harmless(
    junk: bytes, kind: bytes, sound: bool, late: bool
) -> None:
    chunk = png_chunk(kind, junk, sound=sound)
    late = late or kind in (b"IHDR", b"PLTE")
    data = rgb_png(PIXELS, **{"after" if late else "before": chunk}) + junk
    read = read_image(data)
    if b"\x12" not in junk:
        np.testing.assert_array_equal(read, PIXELS)


@settings(max_examples=150, deadline=None)
@given(
    tag=st.sampled_from([270, 282, 283, 296, 305, 306, 700, 33723, 34377, 34665, 34675, 34853]),
    kind=st.integers(0, 20),
    count=st.integers(0, 2**32 - 1),
    offset=st.integers(0, 2**32 - 1),
)
def test_damage_beside_the_pixels_of_a_tiff_is_harmless(
    tag: int, kind: int, count: int, offset: int
) -> None:
    data = tiff([PIXELS.tobytes()], (6, 8), 8, photometric=2, samples=3, tags=[(tag, 4, [0])])
    entry = struct.pack("<HHII", tag, 4, 1, 0)
    data = data.replace(entry, struct.pack("<HHII", tag, kind, count, offset))
    np.testing.assert_array_equal(read_image(data), PIXELS)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_damaged_exif_of_newer_formats_is_harmless(kind: str) -> None:
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip(f"this pillow does not write {kind}")
    record = exif([(ORIENTATION, 3, [1]), (0x10F, 2, list(b"maker\0"))])
    data = encoded(Image.fromarray(PIXELS), kind, exif=record)
    at = max(data.find(b"II*\0"), data.find(b"MM\0*"))
    assert at > 0
    damaged = data[:at] + b"XXXX" + data[at + 4 :]
    np.testing.assert_array_equal(read_image(damaged), read_image(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP", "PPM", "JPEG2000"])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.9])
def test_truncated_pictures_are_refused_by_name(tmp_path: Path, kind: str, part: float) -> None:
    image = Image.fromarray(RNG.integers(0, 256, (64, 64, 3), np.uint8))
    whole = encoded(image, kind, **({"compression": "tiff_lzw"} if kind == "TIFF" else {}))
    assert read_image(whole).shape == (64, 64, 3)
    (tmp_path / "cut\x07").write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(ImageError, match=r"cut\\x07: "):
        read_image(tmp_path / "cut\x07")


def test_postscript_is_not_run() -> None:
    with pytest.raises(ImageError, match="PostScript"):
        read_image(encoded(Image.fromarray(PIXELS), "EPS"))


@pytest.mark.parametrize("tag", [(50706, 1, [1, 4, 0, 0]), (330, 4, [8])])
def test_a_preview_is_not_taken_for_the_picture(tag: tuple[int, int, list[int]]) -> None:
    data = tiff([PIXELS.tobytes()], (6, 8), 8, photometric=2, samples=3, tags=[(254, 4, [1]), tag])
    with pytest.raises(ImageError, match="rawpy"):
        read_image(data)


def test_only_the_pixels_that_are_decoded_count() -> None:
    large = Image.new("L", (1600, 1200), 7)
    baseline, progressive = encoded(large, "JPEG"), encoded(large, "JPEG", progressive=True)
    assert read_image(baseline, (8, 8), max_pixels=200 * 150).shape == (8, 8, 3)
    for data, size, most in (
        (baseline, None, 1600 * 1200 - 1),
        (baseline, (8, 8), 200 * 150 - 1),
        (baseline, (500, 8), 200 * 150),
        # Its coefficients are all kept, whatever the scale.
        (progressive, (8, 8), 1600 * 1200 - 1),
        (encoded(large, "PNG"), (8, 8), 1600 * 1200 - 1),
    ):
        with pytest.raises(ImageError, match="max_pixels"):
            read_image(data, size, max_pixels=most)
    assert read_image(baseline, max_pixels=1600 * 1200).shape == (1200, 1600, 3)
    assert read_image(progressive, (8, 8), max_pixels=1600 * 1200).shape == (8, 8, 3)


def test_max_pixels_holds_instead_of_pillows_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for kind in ("JPEG", "PNG", "TIFF", "BMP", "GIF"):
        data = encoded(Image.fromarray(PIXELS), kind)
        assert read_image(data, max_pixels=48).shape == (6, 8, 3)
        for limit in ({}, {"max_pixels": 47}):
            with pytest.raises(ImageError, match="too many pixels"):
                read_image(data, **limit)


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "many", float("nan")])
def test_max_pixels_is_a_positive_integer(bad: object) -> None:
    with pytest.raises((ParameterError, DTypeError), match="max_pixels: expected"):
        read_image(b"", max_pixels=bad)


@pytest.mark.parametrize("bad", [5, (1,), (1, 2, 3), (1.5, 2), ("1", "2"), "ab", (0, 1), (1, -1)])
def test_size_is_two_positive_integers(bad: object) -> None:
    with pytest.raises((ParameterError, DTypeError), match="size: expected"):
        read_image(b"", bad)
    data = rgb_png(PIXELS)
    assert read_image(data, np.array([3, 4])).shape == (3, 4, 3)


def test_a_source_is_a_path_or_bytes() -> None:
    data = rgb_png(PIXELS)
    for source in (data, bytearray(data), memoryview(data)):
        np.testing.assert_array_equal(read_image(source), PIXELS)
    for bad in (5, None, ["a.png"]):
        with pytest.raises(DTypeError, match="source"):
            read_image(bad)
    for missing in ("no such file", "nul\0nul"):
        with pytest.raises(ImageError, match="cannot be read"):
            read_image(missing)


def text_bomb() -> bytes:
    packed = zlib.compress(bytes(2**26))
    chunks = png_chunk(b"zTXt", b"k\0\0" + packed) * 4 + png_chunk(b"iCCP", b"k\0\0" + packed)
    return rgb_png(PIXELS, before=chunks, after=chunks)


def tag_bomb() -> bytes:
    shared = [(1000 + i, 4, [0]) for i in range(30_000)]
    data = tiff([PIXELS.tobytes(), bytes(2**20)], (6, 8), 8, photometric=2, samples=3, tags=shared)
    data = data.replace(struct.pack("<HHII", 284, 3, 1, 2), struct.pack("<HHII", 284, 3, 1, 1))
    for tag, _, _ in shared[:300]:
        small, large = (struct.pack("<HHII", tag, 4, 1, 0), struct.pack("<HHII", tag, 1, 2**20, 8))
        data = data.replace(small, large)
    return data


def frame_bomb() -> bytes:
    frames = [Image.new("P", (8, 6), i % 200) for i in range(2000)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


@pytest.mark.parametrize("bomb", [text_bomb, tag_bomb, frame_bomb])
def test_what_lies_beside_the_pixels_costs_no_memory(bomb: Callable[[], bytes]) -> None:
    data = bomb()
    tracemalloc.start()
    assert read_image(data).shape == (6, 8, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(data) + 2**23


@pytest.mark.parametrize("claim", [10**5, 2**31 - 1])
def test_a_header_that_lies_costs_no_memory(claim: int) -> None:
    tracemalloc.start()
    with pytest.raises(ImageError, match="max_pixels"):
        read_image(png([b""], claim, height=claim, before=png_chunk(b"tEXt", b"", sound=False)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23


def test_nothing_is_left_behind_by_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    large = encoded(Image.new("1", (4000, 3000)), "PNG")
    plain = encoded(Image.fromarray(PIXELS), "JPEG")
    sound = read_image(plain)
    odd = jpeg_with(plain, 0xE1, exif([(0x11A, 2, list(b"72\0"))])[:-3])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10**7)
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    state = (list(warnings.filters), Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    wrong: list[object] = []

    def work(seed: int) -> None:
        order = np.random.default_rng(seed).permutation(60)
        for kind in order % 4:
            try:
                if kind == 0:
                    read_image(large)
                    wrong.append("large")
                elif kind == 1:
                    read_image(plain[:-80])
                    wrong.append("cut")
                elif not np.array_equal(read_image((plain, odd)[kind - 2]), sound):
                    wrong.append("pixels")
            except ImageError as error:
                if kind > 1:
                    wrong.append(error)
            except BaseException as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert state == (
        list(warnings.filters),
        Image.MAX_IMAGE_PIXELS,
        ImageFile.LOAD_TRUNCATED_IMAGES,
    )
