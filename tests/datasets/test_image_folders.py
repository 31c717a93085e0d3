"""Folders of anything: each file that looks like a picture is read, or told with the reason."""

from __future__ import annotations

import io
import os
import shutil
import socket
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")

from picture_files import encoded, png
from PIL import Image, ImageFile

from hashret.datasets import ImageFolder, image_folder, read_image, room
from hashret.errors import DatasetNotFoundError, ImageError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 8, 3), np.uint8)
PLAIN = encoded(Image.fromarray(PIXELS), "PNG")
MODES = ("RGB", "L", "P", "1", "LA", "PA", "RGBA", "CMYK", "YCbCr")
needs_posix = pytest.mark.skipif(os.name != "posix", reason="files of this kind are POSIX's")


def fill(root: Path, *names: str, data: bytes = PLAIN) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def skipped(found: ImageFolder) -> dict[str, str]:
    assert list(found.skipped) == sorted(found.skipped)
    for row in found.skipped:
        assert "".join(row).isprintable()
    return dict(found.skipped)


def pillow_pixels(data: bytes) -> np.ndarray | None:
    """What pillow reads, on white; None if it reads nothing."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            expected = image.convert("RGBA")
    except (OSError, ValueError):
        return None
    white = Image.new("RGBA", expected.size, "white")
    white.alpha_composite(expected)
    return np.asarray(white.convert("RGB"))


def written() -> Iterator[tuple[str, str, bytes]]:
    """Each format in each mode that pillow writes."""
    picture = Image.fromarray(RNG.integers(0, 256, (32, 32, 3), np.uint8))
    for kind in sorted(Image.SAVE.keys() - {"EPS", "SPIDER"}):
        # Of pillow's icons one has a thousand pixels a side, whatever the picture has.
        modes = ("RGB", "RGBA") if kind == "ICNS" else MODES
        for mode in modes:
            try:
                yield kind, mode, encoded(picture.convert(mode), kind)
            except (OSError, ValueError, KeyError, SystemError):
                continue  # no such mode in this format


@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
def test_all_that_pillow_reads_is_read_whatever_its_suffix(tmp_path: Path) -> None:
    Image.init()
    expected: dict[str, np.ndarray] = {}
    for kind, mode, data in written():
        own = [suffix for suffix, name in Image.registered_extensions().items() if name == kind]
        # Without first bytes of its own, such as TGA, it could be any file.
        tell = kind in Image.OPEN and Image.OPEN[kind][1] is not None
        suffixes = [*own, ".png", ".jpg", "", *([".txt", ".mp4"] if tell else [])]
        if (pixels := pillow_pixels(data)) is not None:
            for suffix in suffixes if mode == "RGB" else own[:1]:
                expected[f"{kind} {mode}{suffix}"] = pixels
                fill(tmp_path, f"{kind} {mode}{suffix}", data=data)
    assert len({name.split()[0] for name in expected}) > 15
    found = image_folder(tmp_path, (8, 8), errors="skip")
    assert skipped(found) == {}
    assert found.names == tuple(sorted(expected))
    for name, pixels in expected.items():
        np.testing.assert_array_equal(read_image(tmp_path / name), pixels)


@pytest.mark.parametrize(
    ("name", "data", "helps"),
    [
        ("a.heic", b"\0\0\0\x18ftypheic" + bytes(64), "pi-heif"),
        ("a", b"\0\0\0\x18ftypmif1" + bytes(64), "pi-heif"),
        ("a.HIF", b"", "empty"),
        ("a.dng", b"junk", "rawpy"),
        ("a.nef", b"junk", "rawpy"),
        ("a", b"FUJIFILMCCD-RAW 0201", "rawpy"),
        ("a.cr3", b"\0\0\0\x18ftypcrx " + bytes(64), "rawpy"),
        ("a.jxl", b"\xff\x0a" + bytes(30), "pillow-jxl-plugin"),
        ("a.txt", b"\0\0\0\x0cJXL \r\n\x87\n", "pillow-jxl-plugin"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "cairosvg"),
        ("a", b"<?xml version='1.0'?>\n<svg/>", "cairosvg"),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "Ghostscript"),
        ("a.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "Ghostscript"),
        ("a.exr", b"\x76\x2f\x31\x01" + bytes(30), "dynamic range"),
        ("a.psb", b"8BPS\0\2" + bytes(30), "export"),
        ("a.dcm", bytes(128) + b"DICM", "pydicom"),
        ("a.wmf", b"\xd7\xcd\xc6\x9a" + bytes(60), "WMF"),
        ("a", PLAIN[:20], "PNG"),
        ("a.dat", PLAIN[:-30], "truncated"),
        ("a.jp2", b"junk", "known format"),
        ("a.qoi", b"", "empty"),
    ],
)
def test_what_is_not_read_is_told_with_what_helps(
    tmp_path: Path, monkeypatch, name: str, data: bytes, helps: str
) -> None:
    for package in ("pi_heif", "pillow_heif", "rawpy"):  # as if the extras were missing
        monkeypatch.setitem(sys.modules, package, None)
    fill(tmp_path, "sound.png")
    fill(tmp_path, name, data=data)
    found = image_folder(tmp_path, errors="skip")
    assert found.names == ("sound.png",)
    assert helps in skipped(found)[name]
    with pytest.raises(ImageError, match=name):
        image_folder(tmp_path)


def test_heif_is_read_by_its_extra_alone(tmp_path: Path) -> None:
    pytest.importorskip("pi_heif", reason="needs the extra 'heif'")
    writer = pytest.importorskip("pillow_heif", reason="writes HEIF")
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    smooth = Image.fromarray(noise).resize((64, 48))
    formats = list(Image.ID)
    exif = Image.Exif()
    exif[0x0112] = 6
    writer.from_pillow(smooth).save(tmp_path / "a.heic", quality=90)
    writer.from_pillow(smooth).save(tmp_path / "turned", exif=exif.tobytes())
    (tmp_path / "damaged.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))
    assert np.abs(read_image(tmp_path / "a.heic").astype(int) - np.asarray(smooth)).mean() < 12
    assert read_image(tmp_path / "turned").shape == (64, 48, 3)
    found = image_folder(tmp_path, size=(8, 8), errors="skip")
    assert found.names == ("a.heic", "turned")
    assert list(skipped(found)) == ["damaged.heic"]
    assert formats == Image.ID


def test_what_is_no_picture_is_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, "sound.png", "sound", "a.bin/of/sound.txt")
    for name, data in {
        "a.txt": b"P5 is no picture, nor is this\n",
        "b": b"P3 9 9\n",
        "c.json": b"{}",
        "d.mp4": b"\0\0\0\x18ftypisom" + bytes(64),
        "e.mov": b"\0\0\0\x14ftypqt  " + bytes(64),
        "f.mpg": b"\0\0\1\xb3\0\x10\0\x10" + bytes(64),
        "g.pdf": b"%PDF-1.7\n",
        "h.h5": b"\x89HDF\r\n\x1a\n" + bytes(64),
        "i.c": b"#define width 8\n#define height 8\nint main(void);\n",
        "j.npy": b"\x93NUMPY\1\0",
        "k.html": b"<html><svg></svg></html>",
        "l.dat": bytes((40, 0, 0, 0)) * 30,
        "m.vob": b"\0\0\1\xba" + b"\x08\0\1" * 30,
        "empty": b"",
        ".hidden.png": b"junk",
    }.items():
        fill(tmp_path, name, data=data)
    found = image_folder(tmp_path)
    assert found.names == ("a.bin/of/sound.txt", "sound", "sound.png")
    assert found.skipped == ()


def test_a_reader_that_the_user_registers_is_used(tmp_path: Path) -> None:
    fill(tmp_path, "a.heic", "b", data=b"\0\0\0\x18ftypheic" + PIXELS.tobytes())

    class Reader(ImageFile.ImageFile):
        format = "HEIF"

        def _open(self) -> None:
            self._mode, self._size = "RGB", (8, 6)
            self.tile = [("raw", (0, 0, 8, 6), 12, ("RGB", 0, 1))]

    assert len(image_folder_rows(tmp_path)) == 2
    before = list(Image.ID), dict(Image.OPEN), dict(Image.EXTENSION)
    Image.register_open("HEIF", Reader, lambda head: head[4:12] == b"ftypheic")
    try:
        found = image_folder(tmp_path)
    finally:
        Image.ID[:] = before[0]
        for registry, entries in zip((Image.OPEN, Image.EXTENSION), before[1:], strict=True):
            registry.clear()
            registry.update(entries)
    assert found.names == ("a.heic", "b")
    np.testing.assert_array_equal(found.images[0], PIXELS)


def image_folder_rows(root: Path) -> dict[str, str]:
    fill(root, "sound.png")
    rows = skipped(image_folder(root, errors="skip"))
    (root / "sound.png").unlink()
    return rows


@needs_posix
def test_what_is_no_regular_file_is_told_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty folder.png").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(tmp_path)
        listener.bind("socket.png")
        os.chdir(here)
    for name, target in {
        "zero.png": "/dev/zero",
        "dangling.png": "nowhere",
        "self.png": "self.png",
        "folder.png": ".",
        "loop": ".",
    }.items():
        (tmp_path / name).symlink_to(target)
    fill(tmp_path, "folder with pictures.png/a.png")
    (tmp_path / "link.png").symlink_to("folder with pictures.png/a.png")
    started = time.perf_counter()
    found = image_folder(tmp_path, errors="skip")
    assert time.perf_counter() - started < 5
    assert found.names == ("folder with pictures.png/a.png", "link.png")
    rows = skipped(found)
    kinds = {"pipe": "pipe", "socket": "socket", "zero": "device", "empty folder": "folder"}
    kinds |= {"dangling": "No such file", "self": "symbolic links", "folder": "folder"}
    assert rows.keys() == {f"{name}.png" for name in kinds}
    for name, kind in kinds.items():
        assert kind in rows[f"{name}.png"]
        with pytest.raises(ImageError, match=f"{name}.png"):
            read_image(tmp_path / f"{name}.png")


@pytest.mark.skipif(not Path("/proc/self/pagemap").exists(), reason="needs /proc")
def test_files_that_say_they_are_empty_and_have_no_end_are_not_read(tmp_path: Path) -> None:
    for number, target in enumerate(("/proc/self/pagemap", "/proc/self/mem", "/proc/kmsg")):
        (tmp_path / f"{number}.png").symlink_to(target)
    rows = image_folder_rows(tmp_path)
    assert rows.keys() == {"0.png", "1.png", "2.png"}


@pytest.mark.parametrize("error", [PermissionError, FileNotFoundError, OSError])
def test_a_folder_that_cannot_be_listed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    fill(tmp_path, "a/1.png", "b/1.png", "c/d/1.png")
    scandir = os.scandir

    def listing(path: str) -> object:
        if Path(path).name in ("b", "d"):
            raise error(13, "not today")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", listing)
    found = image_folder(tmp_path, errors="skip")
    assert found.names == ("a/1.png",)
    assert skipped(found).keys() == {"b", "c/d"}
    with pytest.raises(ImageError, match="b: cannot be listed: not today"):
        image_folder(tmp_path)
    with pytest.raises(ImageError, match="cannot be listed"):
        image_folder(tmp_path / "b", errors="skip")


def test_what_vanishes_before_it_is_read_is_told(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b/1.png", "b/2.png")

    def vanish(done: int, total: int) -> None:
        shutil.rmtree(tmp_path / "b", ignore_errors=True)

    found = image_folder(tmp_path, errors="skip", progress=vanish)
    assert found.names == ("a.png",)
    assert skipped(found).keys() == {"b/1.png", "b/2.png"}
    fill(tmp_path, "b/1.png")
    with pytest.raises(ImageError, match=r"1\.png: cannot be read"):
        image_folder(tmp_path, progress=vanish)


@needs_posix
def test_names_may_be_any_bytes(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path)
    try:
        for name in (b"\xff\xfe.png", b"new\nline.png"):
            Path(os.fsdecode(os.path.join(root, name))).write_bytes(PLAIN)
        for name in (b"bad\xff.png", b"bad\x1b[31m.png"):
            Path(os.fsdecode(os.path.join(root, name))).write_bytes(b"junk")
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    found = image_folder(tmp_path, errors="skip")
    assert [os.fsencode(name) for name in found.names] == [b"new\nline.png", b"\xff\xfe.png"]
    assert all((tmp_path / name).exists() for name in found.names)
    assert skipped(found).keys() == {"bad\\x1b[31m.png", "bad\\udcff.png"}
    with pytest.raises(ImageError) as caught:
        image_folder(tmp_path)
    assert str(caught.value).isprintable()


@needs_posix
def test_paths_that_are_too_long_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a.png")
    monkeypatch.chdir(tmp_path)
    for _ in range(25):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    Path("deep.png").write_bytes(PLAIN)
    found = image_folder(tmp_path, errors="skip")
    assert found.names == ("a.png",)
    assert [reason.endswith("too long") for reason in skipped(found).values()] == [True]


@pytest.mark.parametrize("errors", ["raise", "skip"])
@pytest.mark.parametrize("odd", [0, 1, 9])
def test_sizes_that_differ_ask_for_a_size_in_any_order(
    tmp_path: Path, errors: str, odd: int
) -> None:
    large = png([bytes(500)] * 3000, 4000, 1, 0)
    for number in range(10):
        fill(tmp_path, f"{number}.png", data=large if number == odd else PLAIN)
    for number in range(10, 300):
        fill(tmp_path, f"{number}.png" if odd else f"1{number}.png")
    fill(tmp_path, "zz.png", data=b"junk")
    tracemalloc.start()
    with pytest.raises(ImageError, match="size="):
        image_folder(tmp_path, errors=errors)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * 3 * 4000 * 3000


def test_a_stack_beyond_memory_is_refused_before_work_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []

    def count(done: int, total: int) -> None:
        steps.append(done)

    fill(tmp_path, *(f"{number}.png" for number in range(100)))
    with pytest.raises(ImageError, match="size="):
        image_folder(tmp_path, (200_000, 200_000), progress=count)
    assert steps == []
    monkeypatch.setattr(room, "memory_limit", lambda: 100 * PIXELS.nbytes - 1)
    monkeypatch.setattr(room, "_SMALL", 0)
    with pytest.raises(ImageError, match="100 images"):
        image_folder(tmp_path, errors="skip", progress=count)
    assert len(steps) < 2
    with pytest.raises(ImageError, match="memory"):
        read_image(PLAIN, (200, 200))
    monkeypatch.setattr(room, "memory_limit", lambda: 100 * PIXELS.nbytes)
    assert image_folder(tmp_path).images.shape == (100, 6, 8, 3)


def test_max_pixels_holds_for_each_image_of_a_folder(tmp_path: Path) -> None:
    fill(tmp_path, "small.png", "small")
    fill(tmp_path, "large.jpg", data=encoded(Image.new("L", (1600, 1200)), "JPEG"))
    fill(tmp_path, "large.png", "large", data=encoded(Image.new("L", (300, 200)), "PNG"))
    found = image_folder(tmp_path, (8, 8), errors="skip", max_pixels=200 * 150)
    assert found.names == ("large.jpg", "small", "small.png")
    assert skipped(found).keys() == {"large.png", "large"}
    assert all("max_pixels" in reason for reason in skipped(found).values())


@pytest.mark.parametrize("kind", [b"BM", b"RIFF\xff\xff\xff\xffWEBPVP8 ", b"II*\0\x08\0\0\0", b""])
def test_a_file_larger_than_its_pixels_may_be_is_not_read(tmp_path: Path, kind: bytes) -> None:
    for name in ("a.png", "a"):
        with open(tmp_path / name, "wb") as file:
            file.write(kind)
            file.truncate(2**36)
    tracemalloc.start()
    rows = image_folder_rows(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "larger" in rows["a.png"]
    assert peak < 2**23


@pytest.mark.parametrize("name", ["none", "file", "nul\0nul"])
def test_what_is_no_folder_is_not_found(tmp_path: Path, name: str) -> None:
    fill(tmp_path, "file")
    with pytest.raises(DatasetNotFoundError, match="no such folder"):
        image_folder(tmp_path / name)
