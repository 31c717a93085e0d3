"""Files that folders of photographs have, each through an update of a collection."""

from __future__ import annotations

import io
import os
import socket
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("pathspec")
if os.name != "posix":
    pytest.skip("worker processes need POSIX", allow_module_level=True)

from collection_rows import Row, start_workers_with, updated
from picture_files import encoded, exif, jpeg_with
from PIL import Image, features

from hashret.collection import Collection
from hashret.collection.encoders import new_encoder

SMALL = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
IMAGE = Image.fromarray(SMALL).resize((96, 72), Image.Resampling.BICUBIC)
GREY = np.asarray(IMAGE.convert("L"))
PNG, JPEG = encoded(IMAGE, "PNG"), encoded(IMAGE, "JPEG", quality=95)
# How each orientation of EXIF stores the picture, so that it comes out as it is.
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p.transpose(1, 0, 2)[::-1],
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: p.transpose(1, 0, 2)[:, ::-1],
}


def code_of(image: Image.Image) -> bytes:
    return new_encoder("perceptual", "").encode([np.asarray(image.convert("RGB"))])[0].tobytes()


def apart(row: Row, image: Image.Image = IMAGE) -> int:
    """In how many bits a file's code differs from that of a picture."""
    return (int.from_bytes(row.code) ^ int.from_bytes(code_of(image))).bit_count()


def put(root: Path, files: dict[bytes, bytes]) -> None:
    for name, data in files.items():
        Path(os.fsdecode(os.path.join(os.fsencode(root), name))).write_bytes(data)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def rows_of(root: Path, files: dict[bytes, bytes]) -> dict[bytes, Row]:
    put(root, files)
    rows = updated(root)
    assert rows.keys() >= files.keys()
    return rows


def turned(orientation: int) -> bytes:
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](np.asarray(IMAGE))))
    return jpeg_with(encoded(stored, "JPEG", quality=95), 0xE1, exif([(0x112, 3, [orientation])]))


def on_white(image: Image.Image) -> bytes:
    """A picture in the middle of what is transparent."""
    around = Image.new("RGBA", (192, 144), (0, 0, 0, 0))
    around.paste(image, (48, 36))
    return encoded(around, "PNG")


def test_what_a_picture_may_be(root):
    """Read, at its size, and with the code of the picture in it."""
    files = {
        b"jpeg called.png": JPEG,
        b"png called.jpg": PNG,
        b"without suffix": JPEG,
        b"of windows.jfif": JPEG,
        b"short.jpe": JPEG,
        b"LOUD.JPEG": JPEG + b"1",
        b"deep.png": encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG"),
        b"float.tif": encoded(Image.fromarray(GREY / np.float32(255)), "TIFF"),
        b"counts.tiff": encoded(Image.fromarray(GREY.astype(np.int32) * 1000), "TIFF"),
        b"press.jpg": encoded(IMAGE.convert("CMYK"), "JPEG", quality=95),
        b"phone.mpo": encoded(IMAGE, "MPO", quality=95, save_all=True, append_images=[IMAGE]),
        **{b"turned %d.jpg" % way: turned(way) for way in STORED},
        **{
            b"damaged exif %d.jpg" % i: jpeg_with(JPEG, 0xE1, damaged)
            for i, damaged in enumerate(
                (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", exif([(0x112, 3, [99])])[:20])
            )
        },
    }
    if features.check("avif"):
        files[b"new.avif"] = encoded(IMAGE, "AVIF", quality=90)
    rows = rows_of(root, files)
    for name in files:
        row = rows[name]
        assert (row.state, row.width, row.height) == ("present", 96, 72), (name, row)
        assert apart(row) <= 24, (name, apart(row))
    formats = {name: rows[name].format for name in (b"png called.jpg", b"without suffix")}
    assert formats == {b"png called.jpg": "PNG", b"without suffix": "JPEG"}


def test_transparent_pixels_are_white(root):
    row = rows_of(root, {b"clear.png": on_white(IMAGE)})[b"clear.png"]
    white = Image.new("RGB", (192, 144), "white")
    white.paste(IMAGE, (48, 36))
    assert (row.width, row.height, apart(row, white)) == (192, 144, 0)


def test_colours_of_a_palette(root):
    few = IMAGE.quantize(64)
    later = {"save_all": True, "append_images": [few.rotate(180)]}
    files = {b"palette.png": encoded(few, "PNG"), b"animated.gif": encoded(few, "GIF", **later)}
    for row in rows_of(root, files).values():
        assert (row.state, row.width, row.height, apart(row, few)) == ("present", 96, 72, 0)


def test_one_pixel(root):
    row = rows_of(root, {b"dot.png": encoded(Image.new("RGB", (1, 1), "red"), "PNG")})[b"dot.png"]
    assert (row.state, row.width, row.height) == ("present", 1, 1)


def test_large_ones(root):
    put(root, {b"wide.jpg": encoded(Image.new("L", (12_000, 9_000), 99), "JPEG")})
    put(root, {b"huge.png": encoded(Image.new("1", (20_000, 20_000)), "PNG")})
    rows = updated(root)
    assert rows[b"wide.jpg"][:5] == ("present", None, "JPEG", 12_000, 9_000)
    assert rows[b"huge.png"].state == "skipped"
    assert rows[b"huge.png"].reason.startswith("too many pixels: 20000x20000")


def test_what_cannot_be_read(root):
    """Skipped, with a reason."""
    parts = {
        b"empty.jpg": (b"", "it is empty"),
        b"cut.png": (PNG[: len(PNG) // 2], "not a readable image"),
        b"cut.jpg": (JPEG[:300], "not a readable image"),
        b"words.jpg": (b"These are words.", "not a readable image"),
        b"drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "vector drawing"),
    }
    rows = rows_of(root, {name: data for name, (data, _) in parts.items()})
    for name, (_, part) in parts.items():
        assert rows[name].state == "skipped"
        assert part in rows[name].reason, (name, rows[name])


def test_a_jpeg_that_is_cut_in_its_pixels(root):
    """What a card reader loses of a JPEG is at its end."""
    row = rows_of(root, {b"cut.jpg": JPEG[: len(JPEG) * 3 // 4]})[b"cut.jpg"]
    assert row.state == "skipped"
    assert "truncated" in row.reason


def heic() -> bytes:
    writer = pytest.importorskip("pillow_heif", reason="writes HEIC")
    buffer = io.BytesIO()
    writer.from_pillow(IMAGE).save(buffer, quality=95)
    return buffer.getvalue()


def test_heic_without_the_extra_names_it(root, tmp_path, monkeypatch):
    hide = "import sys\nsys.modules['pi_heif'] = sys.modules['pillow_heif'] = None\n"
    start_workers_with(monkeypatch, tmp_path / "site", hide)
    row = rows_of(root, {b"phone.heic": heic()})[b"phone.heic"]
    assert row.state == "skipped"
    assert "hashret[heif]" in row.reason


def test_heic_with_the_extra(root):
    pytest.importorskip("pi_heif", reason="needs the extra 'heif'")
    row = rows_of(root, {b"phone.heic": heic()})[b"phone.heic"]
    assert (row.state, row.format, row.width, row.height) == ("present", "HEIF", 96, 72)
    assert apart(row) <= 16


def test_names_of_any_bytes(root):
    names = [
        b"\xff\xfe.png",
        b"a\nb\r.png",
        b"<b>&amp;\"'.png",
        b"[bold red]x.png",
        b"x" * 246 + b".png",
        b"-rf *.png",
        b" .png",
        b"\x1b[31m.png",
        "ö 漢\u202egnp.png".encode(),
        b"%s{0}\\n.png",
    ]
    if sys.platform == "darwin":
        names.remove(b"\xff\xfe.png")
    rows = rows_of(root, dict.fromkeys(names, PNG))
    assert all(rows[name].state == "present" for name in names)


def test_what_is_no_file(root):
    os.mkfifo(root / "pipe.jpg")
    (root / "device.jpg").symlink_to("/dev/zero")
    (root / "dangling.jpg").symlink_to("nowhere")
    (root / "loop.jpg").symlink_to("loop.jpg")
    (root / "folder").symlink_to(".")
    (root / "denied.jpg").write_bytes(JPEG)
    (root / "denied.jpg").chmod(0)
    (root / "linked.jpg").symlink_to("sound.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        # The name of a socket may have some hundred bytes only.
        before = os.getcwd()
        os.chdir(root)
        server.bind("socket.jpg")
        os.chdir(before)
        rows = rows_of(root, {b"sound.jpg": JPEG})
    states = {name: (row.state, row.reason) for name, row in rows.items()}
    denied = ("present", None) if os.geteuid() == 0 else ("skipped", "cannot be read: ...")
    assert states.pop(b"denied.jpg")[0] == denied[0]
    assert states == {
        b"pipe.jpg": ("skipped", "a named pipe"),
        b"socket.jpg": ("skipped", "a socket"),
        b"device.jpg": ("skipped", "a device"),
        b"dangling.jpg": ("skipped", "a link to nothing"),
        b"loop.jpg": ("skipped", "a link that leads back to itself"),
        b"linked.jpg": ("present", None),
        b"sound.jpg": ("present", None),
    }


def test_what_is_no_picture_is_not_skipped(root):
    files = {
        b"notes.txt": b"milk, bread",
        b"film.mov": b"\0\0\0\x14ftypqt  " + bytes(99),
        b"film.mp4": b"\0\0\0\x18ftypisom" + bytes(99),
        b"program": b"\x7fELF" + bytes(99),
        b"empty": b"",
        b"raw.jpg": JPEG,
        b"raw.CR2": b"II*\0\x10\0\0\0CR\2\0" + bytes(99),
        b"raw.xmp": b"<x:xmpmeta/>",
        b"alone.CR2": b"II*\0\x10\0\0\0CR\2\0" + bytes(9),
    }
    rows = rows_of(root, files)
    states = {name: row.state for name, row in rows.items()}
    assert states.pop(b"raw.jpg") == "present"
    assert states.pop(b"alone.CR2") == "skipped"
    assert set(states.values()) == {"other"}
    assert rows[b"raw.CR2"].reason == "belongs to raw.jpg"


@pytest.mark.parametrize("year", [1, 1969, 2300, 2440])
def test_times_far_off(root, year):
    """Some cameras forget the date, and some archives store it in the wrong unit."""
    put(root, {b"far.jpg": JPEG})
    seconds = (year - 1970) * 31_556_952
    try:
        os.utime(root / "far.jpg", (seconds, seconds))
    except OverflowError:
        pytest.skip("this system has no such time")
    assert updated(root)[b"far.jpg"].state == "present"
    with Collection.change(root) as collection:
        report = collection.update()
    assert (report.changed.count, report.read, report.hashed) == (0, 0, 0)
