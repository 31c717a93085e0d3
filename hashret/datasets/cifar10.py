"""CIFAR-10 (Krizhevsky 2009) as JPEG files, in a folder or a zip archive.

The JPEG edition is re-encoded, so figures on it are not exactly those on the
original; say so beside results. 60,000 files also make a folder to index.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import FormatError
from ..types import Images
from .base import DATA_VARIABLE, Dataset, Labels, Progress, not_found, search_folders
from .decoding import read_image
from .stacking import read_images

CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
# An image of 32x32 takes about 900 bytes; a member that claims more than this is no such image.
_MAX_FILE_BYTES = 2**16
_NAMES = (".", "cifar10", "cifar10.zip", "cifar10-jpeg.zip")
Reader = Callable[[], Images]


def cifar10(
    path: str | os.PathLike[str] | None = None, progress: Progress | None = None
) -> Dataset:
    """Load CIFAR-10 from JPEG files.

    Parameters
    ----------
    path : path-like, optional
        A folder with ``train/<class>/*.jpg`` and ``test/<class>/*.jpg``, or a zip archive of one;
        both may have these below a folder ``cifar10``. Default: ``$HASHRET_DATA``, which may be
        the folder, the archive, or the folder that holds ``cifar10`` or ``cifar10-jpeg.zip``.
    progress : callable, optional
        Called as ``progress(images_done, images_total)``.

    Returns
    -------
    dataset : Dataset
        Images uint8 (n, 32, 32, 3), labels int64 (n,), sorted by class and name.

    Raises
    ------
    DatasetNotFoundError
        If the images are in none of these places.
    FormatError
        If the archive is damaged or encrypted, a class has no images, or an image is not 32x32.
    ImageError
        If an image is damaged.
    """
    searched = search_folders(path)
    source = _find(searched)
    if source is None:
        raise not_found("cifar10", searched, _ways())
    if source.is_dir():
        return _load(source, _folder_readers(source), progress)
    try:
        with zipfile.ZipFile(source) as archive:
            return _load(source, _zip_readers(archive), progress)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise FormatError(f"{source}: damaged zip archive: {error}") from error


def _find(searched: list[Path]) -> Path | None:
    for root in searched:
        for path in (root / name for name in _NAMES):
            if path.is_file() or all((path / part).is_dir() for part in ("train", "test")):
                return path
    return None


def _folder_readers(root: Path) -> dict[str, Reader]:
    paths = sorted(root.glob("t*/*/*.jpg"))
    return {path.relative_to(root).as_posix(): partial(_read_32, path, str(path)) for path in paths}


def _zip_readers(archive: zipfile.ZipFile) -> dict[str, Reader]:
    members = {PurePosixPath(member.filename): member for member in archive.infolist()}

    def reader(path: PurePosixPath) -> Reader:
        def read() -> Images:
            member = members[path]
            if member.file_size > _MAX_FILE_BYTES:
                raise FormatError(f"{path}: claims {member.file_size} bytes, no 32x32 JPEG")
            return _read_32(archive.read(member), str(path))

        return read

    return {
        "/".join(path.parts[-3:]): reader(path)
        for path in sorted(members)
        if path.suffix == ".jpg" and len(path.parts) >= 3
    }


def _read_32(source: Path | bytes, name: str) -> Images:
    image = read_image(source, name=name)
    if image.shape != (32, 32, 3):
        # Before room is made for 60,000 of its size.
        raise FormatError(f"{name}: expected an image (32, 32, 3), got {image.shape}")
    return image


def _load(source: Path, readers: dict[str, Reader], progress: Progress | None) -> Dataset:
    order = [
        (name, split, label)
        for split in ("train", "test")
        for label, class_name in enumerate(CLASS_NAMES)
        for name in _of_class(readers, f"{split}/{class_name}/", source)
    ]
    images, _, _ = read_images([(name, readers[name]) for name, _, _ in order], "raise", progress)
    in_train = np.array([split == "train" for _, split, _ in order])
    labels: Labels = np.array([label for _, _, label in order], np.int64)
    return Dataset(
        "cifar10",
        images[in_train],
        labels[in_train],
        images[~in_train],
        labels[~in_train],
        CLASS_NAMES,
        str(source),
    )


def _of_class(readers: dict[str, Reader], prefix: str, source: Path) -> list[str]:
    names = sorted(name for name in readers if name.startswith(prefix))
    if not names:
        raise FormatError(f"{source}: no JPEG files in {prefix}")
    return names


def _ways() -> list[str]:
    return [
        "pass path=, a folder with train/<class>/*.jpg and test/<class>/*.jpg or a zip of one",
        f"set {DATA_VARIABLE} to it or to the folder that holds it",
    ]
