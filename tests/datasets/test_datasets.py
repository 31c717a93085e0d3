"""Loaders against the official files, and against files that are not what they claim."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import importlib
import io
import lzma
import os
import struct
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("PIL")

from PIL import Image

from hashret import datasets
from hashret.datasets import download
from hashret.datasets.download import RemoteFile, fetch
from hashret.datasets.idx import read_idx
from hashret.errors import (
    DatasetNotFoundError,
    DTypeError,
    FormatError,
    ImageError,
    MissingExtraError,
    ParameterError,
)

# The module; the package has a function of its name.
fashion = importlib.import_module("hashret.datasets.fashion_mnist")


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def write_fashion(folder: Path, pack=gzip.compress, suffix: str = ".gz") -> dict[str, np.ndarray]:
    """Write a tiny data set with the official names."""
    rng = np.random.default_rng(0)
    parts = {}
    folder.mkdir(parents=True, exist_ok=True)
    for part, n in (("train", 20), ("t10k", 10)):
        parts[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (n, 28, 28), np.uint8)
        parts[f"{part}-labels-idx1-ubyte"] = np.arange(n, dtype=np.uint8) % 10
    for name, values in parts.items():
        (folder / f"{name}{suffix}").write_bytes(pack(idx(values)))
    return parts


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any data set."""
    monkeypatch.delenv(datasets.DATA_VARIABLE, raising=False)
    monkeypatch.setattr(fashion, "DEBIAN_FOLDER", tmp_path / "no-such-package")
    monkeypatch.setattr(fashion, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bytes])
def test_idx_is_read_whatever_packs_it(tmp_path: Path, pack) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "x").write_bytes(pack(idx(values)))
    np.testing.assert_array_equal(read_idx(tmp_path / "x", 3), values)


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: raw[:3],
        lambda raw: raw[:9],
        lambda raw: raw[:-1],
        lambda raw: raw + b"\0",
        lambda raw: b"\1" + raw[1:],
        lambda raw: raw[:2] + b"\x0d" + raw[3:],
        lambda raw: raw[:3] + b"\1" + raw[4:],
        lambda raw: b"plain text, no images at all",
        lambda raw: gzip.compress(raw)[:-12],
        lambda raw: gzip.compress(raw)[:20] + b"\xff" * 20,
        lambda raw: lzma.compress(raw)[:-12],
        lambda raw: b"\x1f\x8b" + raw,
    ],
)
def test_damaged_idx_is_a_format_error(tmp_path: Path, damage) -> None:
    values = np.random.default_rng(0).integers(0, 256, (2, 3, 4), np.uint8)
    (tmp_path / "x").write_bytes(damage(idx(values)))
    with pytest.raises(FormatError, match="x"):
        read_idx(tmp_path / "x", 3)


@pytest.mark.parametrize("shape", [(2**28, 1, 1), (60000, 28, 28), (2**32 - 1,) * 3])
def test_a_header_that_lies_costs_no_memory(tmp_path: Path, shape: tuple[int, ...]) -> None:
    (tmp_path / "x").write_bytes(struct.pack(">HBB3I", 0, 8, 3, *shape) + b"few values")
    tracemalloc.start()
    with pytest.raises(FormatError):
        read_idx(tmp_path / "x", 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 2**20


@given(st.binary(max_size=64), st.integers(1, 3))
def test_any_bytes_give_an_array_or_a_format_error(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes, dimensions: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.idx"
    path.write_bytes(bytes((0, 0, 8, dimensions)) + tail)
    try:
        values = read_idx(path, dimensions)
    except FormatError:
        return
    assert idx(values)[4:] == tail


def test_fashion_mnist_is_found_in_each_place(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = write_fashion(nowhere / "a" / "fashion-mnist")
    write_fashion(nowhere / "b", pack=bytes, suffix="")
    for path in (nowhere / "a", nowhere / "a" / "fashion-mnist", nowhere / "b"):
        data = datasets.fashion_mnist(path)
        np.testing.assert_array_equal(data.train_images, parts["train-images-idx3-ubyte"])
        np.testing.assert_array_equal(data.test_labels, parts["t10k-labels-idx1-ubyte"])
        assert data.train_labels.dtype == np.int64
        monkeypatch.setenv(datasets.DATA_VARIABLE, str(path))
        assert datasets.fashion_mnist().source == data.source
    monkeypatch.delenv(datasets.DATA_VARIABLE)
    monkeypatch.setattr(fashion, "DEBIAN_FOLDER", nowhere / "b")
    assert datasets.fashion_mnist().source == str(nowhere / "b")


def test_missing_fashion_mnist_names_the_four_ways(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (None, nowhere):
        with pytest.raises(DatasetNotFoundError) as caught:
            datasets.fashion_mnist(path)
        for way in ("path=", datasets.DATA_VARIABLE, "dataset-fashion-mnist", "download=True"):
            assert way in str(caught.value)
        assert isinstance(caught.value, FileNotFoundError)


def test_an_explicit_path_is_the_only_place_looked_at(nowhere: Path, monkeypatch) -> None:
    write_fashion(nowhere / "env")
    monkeypatch.setenv(datasets.DATA_VARIABLE, str(nowhere / "env"))
    with pytest.raises(DatasetNotFoundError):
        datasets.fashion_mnist(nowhere / "empty", download=True)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("train-images-idx3-ubyte", np.zeros((20, 28, 27), np.uint8)),
        ("train-images-idx3-ubyte", np.zeros((0, 28, 28), np.uint8)),
        ("train-labels-idx1-ubyte", np.zeros(19, np.uint8)),
        ("t10k-labels-idx1-ubyte", np.full(10, 10, np.uint8)),
    ],
)
def test_files_that_do_not_fit_together_are_refused(nowhere: Path, name: str, values) -> None:
    write_fashion(nowhere)
    (nowhere / f"{name}.gz").write_bytes(gzip.compress(idx(values)))
    with pytest.raises(FormatError, match=name):
        datasets.fashion_mnist(nowhere)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    root = tmp_path / "served"
    root.mkdir()
    handler = partial(_Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as http_server:
        thread = threading.Thread(target=http_server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http_server.server_port}/", root
        http_server.shutdown()
        thread.join()


def _remote(folder: Path) -> tuple[RemoteFile, ...]:
    return tuple(
        RemoteFile(p.name, p.stat().st_size, hashlib.sha256(p.read_bytes()).hexdigest())
        for p in sorted(folder.iterdir())
    )


def test_download_fills_the_cache_once(nowhere: Path, server, monkeypatch) -> None:
    url, root = server
    write_fashion(root)
    files = _remote(root)
    monkeypatch.setattr(fashion, "FILES", files)
    monkeypatch.setattr(fashion, "MIRRORS", (url + "missing/", url))
    steps: list[tuple[int, int]] = []
    data = datasets.fashion_mnist(download=True, progress=lambda *step: steps.append(step))
    total = sum(file.size for file in files)
    assert steps[-1] == (total, total)
    assert steps == sorted(steps)
    for file in root.iterdir():
        file.unlink()
    assert datasets.fashion_mnist().source == data.source == str(nowhere / "cache/fashion-mnist")


@pytest.mark.parametrize("served", [b"short", b"right size!!", b"much longer than it should be"])
def test_a_wrong_download_leaves_nothing_behind(tmp_path: Path, server, served: bytes) -> None:
    url, root = server
    (root / "file").write_bytes(served)
    file = RemoteFile("file", 12, hashlib.sha256(b"right bytes!").hexdigest())
    with pytest.raises(DatasetNotFoundError, match="SHA-256"):
        fetch([file], [url], tmp_path / "cache", None)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_unreachable_mirror_is_named(tmp_path: Path) -> None:
    file = RemoteFile("file", 1, "")
    with pytest.raises(DatasetNotFoundError, match=r"127\.0\.0\.1:9/file"):
        fetch([file], ["http://127.0.0.1:9/"], tmp_path, None)


def test_an_interrupted_download_leaves_nothing_behind(tmp_path: Path, server) -> None:
    url, root = server
    (root / "file").write_bytes(b"12")

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch([RemoteFile("file", 2, "")], [url], tmp_path / "cache", interrupt)
    assert list((tmp_path / "cache").iterdir()) == []


def test_cache_follows_the_systems_custom(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    for platform, expected in (("linux", tmp_path), ("win32", tmp_path)):
        monkeypatch.setattr(download.sys, "platform", platform)
        assert download.cache_folder() == expected / "hashret"
    monkeypatch.setattr(download.sys, "platform", "darwin")
    assert download.cache_folder() == Path("~/Library/Caches/hashret").expanduser()


def test_sample_is_small_balanced_and_offline() -> None:
    sample = datasets.fashion_mnist_sample()
    assert sample.train_images.shape == (3000, 28, 28)
    assert sample.test_images.shape == (1000, 28, 28)
    assert np.bincount(sample.train_labels).tolist() == [300] * 10
    assert np.bincount(sample.test_labels).tolist() == [100] * 10
    folder = Path(datasets.__file__).parent.parent / "data"
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 2_000_000
    assert "Zalando" in (folder / "CREDITS.md").read_text(encoding="utf-8")


def full_fashion_mnist() -> datasets.Dataset:
    try:
        return datasets.fashion_mnist()
    except DatasetNotFoundError as error:
        pytest.skip(f"the full Fashion-MNIST is absent: {error}")


def test_sample_images_are_official_ones_with_their_labels() -> None:
    full, sample = full_fashion_mnist(), datasets.fashion_mnist_sample()
    for part in ("train", "test"):
        official = {
            image.tobytes(): int(label)
            for image, label in zip(
                getattr(full, f"{part}_images"), getattr(full, f"{part}_labels"), strict=True
            )
        }
        drawn = [image.tobytes() for image in getattr(sample, f"{part}_images")]
        labels = [official[image] for image in drawn]
        assert labels == getattr(sample, f"{part}_labels").tolist()


def test_full_fashion_mnist_is_balanced() -> None:
    full = full_fashion_mnist()
    assert full.train_images.shape == (60_000, 28, 28)
    assert full.test_images.shape == (10_000, 28, 28)
    assert np.bincount(full.train_labels).tolist() == [6000] * 10
    assert np.bincount(full.test_labels).tolist() == [1000] * 10


CIFAR_CLASSES = (
    "airplane automobile bird cat deer dog frog horse ship truck".split()  # noqa: SIM905
)


def write_cifar(root: Path, size: tuple[int, int] = (32, 32)) -> None:
    rng = np.random.default_rng(0)
    for split, n in (("train", 2), ("test", 1)):
        for name in CIFAR_CLASSES:
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(n):
                image = Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8))
                image.save(folder / f"{i:04}.jpg")


def zip_folder(root: Path, path: Path, below: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*.jpg")):
            archive.write(file, f"{below}{file.relative_to(root).as_posix()}")


def test_cifar10_from_folder_and_zip_are_equal(tmp_path: Path, monkeypatch) -> None:
    write_cifar(tmp_path / "cifar10")
    zip_folder(tmp_path / "cifar10", tmp_path / "c.zip", "cifar10/")
    zip_folder(tmp_path / "cifar10", tmp_path / "flat.zip", "")
    steps: list[tuple[int, int]] = []
    data = datasets.cifar10(tmp_path / "cifar10", progress=lambda *step: steps.append(step))
    assert data.train_images.shape == (20, 32, 32, 3)
    assert data.train_labels.tolist() == sorted(list(range(10)) * 2)
    assert steps[-1] == (30, 30)
    first = np.asarray(Image.open(tmp_path / "cifar10/test/truck/0000.jpg"))
    np.testing.assert_array_equal(data.test_images[9], first)
    monkeypatch.setenv(datasets.DATA_VARIABLE, str(tmp_path))
    for other in (
        datasets.cifar10(),
        datasets.cifar10(tmp_path / "c.zip"),
        datasets.cifar10(tmp_path / "flat.zip"),
    ):
        np.testing.assert_array_equal(other.train_images, data.train_images)
        np.testing.assert_array_equal(other.test_labels, data.test_labels)


def test_bad_cifar10_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv(datasets.DATA_VARIABLE, raising=False)
    with pytest.raises(DatasetNotFoundError, match=datasets.DATA_VARIABLE):
        datasets.cifar10()
    (tmp_path / "no.zip").write_bytes(b"PK no zip")
    with pytest.raises(FormatError, match="damaged zip"):
        datasets.cifar10(tmp_path / "no.zip")
    write_cifar(tmp_path / "a", size=(31, 32))
    with pytest.raises(FormatError, match="32, 32, 3"):
        datasets.cifar10(tmp_path / "a")
    write_cifar(tmp_path / "b")
    zip_folder(tmp_path / "b", tmp_path / "b.zip", "")
    raw = bytearray((tmp_path / "b.zip").read_bytes())
    raw[200:400] = bytes(200)
    (tmp_path / "b.zip").write_bytes(raw)
    with pytest.raises(FormatError, match="damaged zip"):
        datasets.cifar10(tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for split in ("train", "test"):
            for name in CIFAR_CLASSES:
                archive.writestr(f"{split}/{name}/0.jpg", bytes(2**20))
    with pytest.raises(FormatError, match="claims 1048576 bytes"):
        datasets.cifar10(tmp_path / "bomb.zip")
    (tmp_path / "b/test/dog/0000.jpg").unlink()
    with pytest.raises(FormatError, match="test/dog"):
        datasets.cifar10(tmp_path / "b")
    (tmp_path / "b/test/dog/0000.jpg").write_bytes(b"no image")
    with pytest.raises(ImageError, match="dog"):
        datasets.cifar10(tmp_path / "b")


def save(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (8, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def test_folder_takes_labels_from_subfolders(tmp_path: Path) -> None:
    save(tmp_path / "b/deep/2.png", (0, 0, 255))
    save(tmp_path / "a/1.PNG", (255, 0, 0))
    save(tmp_path / "0.png", (0, 255, 0))
    save(tmp_path / ".hidden/x.png", (9, 9, 9))
    (tmp_path / "notes.txt").write_text("no image")
    found = datasets.image_folder(tmp_path)
    assert found.names == ("0.png", "a/1.PNG", "b/deep/2.png")
    assert found.class_names == ("a", "b")
    assert found.labels.tolist() == [-1, 0, 1]
    assert found.images.shape == (3, 6, 8, 3)
    assert found.images[:, 0, 0].tolist() == [[0, 255, 0], [255, 0, 0], [0, 0, 255]]
    assert found.skipped == ()


def test_folder_resizes_and_turns_grey(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", (255, 255, 255), (640, 480))
    save(tmp_path / "b.png", (0, 0, 0), (3, 5))
    found = datasets.image_folder(tmp_path, size=(28, 20), mode="grey")
    assert found.images.shape == (2, 28, 20)
    assert found.images[0].min() >= 254
    assert found.images[1].max() == 0


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    pixels = np.zeros((4, 2, 3), np.uint8)
    pixels[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(
        datasets.read_image(tmp_path / "a.png"), np.rot90(pixels, k=-1, axes=(0, 1))
    )


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P", "1", "I;16", "CMYK"])
def test_unusual_pixel_formats_come_out_as_rgb(tmp_path: Path, kind: str) -> None:
    if kind == "I;16":
        image = Image.fromarray(np.full((5, 4), 0xFFFF, np.uint16))
    else:
        image = Image.new("RGB", (4, 5), "white").convert(kind)
    path = tmp_path / ("a.tif" if kind == "CMYK" else "a.png")
    image.save(path)
    read = datasets.read_image(path)
    assert read.shape == (5, 4, 3)
    assert read.min() == 255


def test_transparent_pixels_become_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 5), (10, 20, 30, 0)).save(tmp_path / "a.png")
    assert datasets.read_image(tmp_path / "a.png", mode="grey").min() == 255


def test_folders_without_images_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="no such folder"):
        datasets.image_folder(tmp_path / "none")
    with pytest.raises(ImageError, match="holds no images"):
        datasets.image_folder(tmp_path)


def test_corrupt_images_are_named_or_skipped(tmp_path: Path) -> None:
    save(tmp_path / "good.png", (1, 2, 3))
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "void.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"cut\.png"):
        datasets.image_folder(tmp_path)
    found = datasets.image_folder(tmp_path, errors="skip")
    assert found.names == ("good.png",)
    assert [name for name, _ in found.skipped] == ["cut.png", "text.jpg", "void.png"]
    (tmp_path / "good.png").unlink()
    with pytest.raises(ImageError, match="none of its 3 images"):
        datasets.image_folder(tmp_path, errors="skip")


def test_images_of_different_sizes_need_a_size(tmp_path: Path) -> None:
    save(tmp_path / "a.png", (1, 2, 3))
    save(tmp_path / "b.png", (1, 2, 3), (9, 9))
    with pytest.raises(ImageError, match=r"b\.png.*size="):
        datasets.image_folder(tmp_path)
    assert datasets.image_folder(tmp_path, size=(4, 4)).images.shape == (2, 4, 4, 3)


def test_decompression_bombs_are_image_errors(tmp_path: Path, monkeypatch) -> None:
    save(tmp_path / "a.png", (1, 2, 3), (100, 100))
    for limit in (9_999, 100):  # pillow warns over the limit, and fails over twice the limit
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(ImageError, match=r"a\.png: too many pixels"):
            datasets.image_folder(tmp_path)


def test_bad_arguments_are_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png", (1, 2, 3))
    with pytest.raises(ParameterError, match="errors"):
        datasets.image_folder(tmp_path, errors="ignore")
    with pytest.raises(ParameterError, match="mode"):
        datasets.image_folder(tmp_path, mode="hsv")
    with pytest.raises(ParameterError, match="size"):
        datasets.image_folder(tmp_path, size=(0, 4))


def test_optional_packages_load_when_first_used() -> None:
    code = (
        "import sys, hashret.datasets, hashret.features, hashret.evaluation;"
        "print({'PIL', 'skimage', 'sklearn', 'torch', 'matplotlib'} & set(sys.modules) or 'none')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "none"


def test_a_missing_pillow_names_its_extra(tmp_path: Path, monkeypatch) -> None:
    save(tmp_path / "a.png", (1, 2, 3))
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtraError, match=r"hashret\[images\]"):
        datasets.image_folder(tmp_path)


def test_an_image_is_read_from_bytes() -> None:
    buffer = io.BytesIO()
    Image.new("L", (3, 2), 7).save(buffer, "PNG")
    assert datasets.read_image(buffer.getvalue(), mode="grey").tolist() == [[7] * 3] * 2


def test_folders_are_named_in_every_way_or_refused(tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "pictures" / "A.PNG")
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (tmp_path / "pictures", os.fsencode(tmp_path / "pictures"), "~/pictures"):
        assert datasets.image_folder(path).names == ("A.PNG",)
    for wrong in (None, 3, ["pictures"]):
        for load in (datasets.image_folder, datasets.fashion_mnist, datasets.cifar10)[
            : 1 if wrong is None else 3
        ]:
            with pytest.raises(DTypeError, match="path: expected a path"):
                load(wrong)
    with pytest.raises(DatasetNotFoundError, match="read_image"):
        datasets.image_folder(tmp_path / "pictures" / "A.PNG")
    with pytest.raises(DatasetNotFoundError, match="~nobody-of-this-name"):
        datasets.image_folder("~nobody-of-this-name/pictures")
