"""Images from a folder of photographs, read with pillow."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import DatasetNotFoundError, ImageError, ParameterError
from .base import Images, Labels, Progress, as_path
from .decoding import (
    Mode,
    Size,
    looks_like_a_picture,
    picture_suffixes,
    printable,
    read_image,
)


@dataclass(frozen=True)
class ImageFolder:
    """The images of a folder.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, height, width, 3), or (n, height, width) if grey
    labels : ndarray of int64, shape (n,)
        Position in `class_names` of the first subfolder an image lies in; -1 if it lies in none.
    class_names : tuple of str
        The first-level subfolders that hold images, sorted.
    names : tuple of str
        Paths relative to the folder, with forward slashes, sorted; one an image.
    skipped : tuple of (str, str)
        Name of each picture that cannot be read, or of each folder that cannot be listed, with a
        slash at its end, and the reason (``errors="skip"``); sorted.
    source : str
        The folder.
    """

    images: Images
    labels: Labels
    class_names: tuple[str, ...]
    names: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    source: str


def image_folder(
    path: str | os.PathLike[str],
    size: Size | None = None,
    *,
    mode: Mode = "rgb",
    errors: Literal["raise", "skip"] = "raise",
    progress: Progress | None = None,
    max_pixels: int | None = None,
) -> ImageFolder:
    """Read every image below a folder, in the order of their names.

    Parameters
    ----------
    path : path-like
        ``~`` is the user's folder.
    size : (height, width), optional
        Resize to this, without keeping the aspect ratio. Needed unless all images have one size.
    mode : {"rgb", "grey"}
    errors : {"raise", "skip"}
        What an unreadable image does: end the reading, or be listed in ``skipped``.
    progress : callable, optional
        Called as ``progress(images_done, images_total)``.
    max_pixels : int, optional
        See :func:`read_image`.

    Returns
    -------
    folder : ImageFolder

    Raises
    ------
    DatasetNotFoundError
        If there is no such folder.
    ImageError
        If the folder holds no (readable) image, an image cannot be read or a folder be listed
        while `errors` is "raise", or images differ in size while `size` is None.
    MemoryError
        If all of the images do not fit.

    Notes
    -----
    A picture is what has the suffix of one, or else begins as one: whatever the installed pillow
    reads, and HEIC, RAW and others that are then listed as not read. So ``names`` and
    ``skipped`` together are all that looks like a picture. Hidden files and folders and linked
    folders are left out. How a picture is read is told at :func:`read_image`.
    """
    if errors not in ("raise", "skip"):
        raise ParameterError(f'errors: expected "raise" or "skip", got {errors!r}')
    root = as_path(path)
    names, closed = _list_folder(root)
    if closed and errors == "raise":
        raise ImageError(f"{root}/{closed[0][1]}")
    read = partial(read_image, size=size, mode=mode, max_pixels=max_pixels)
    readers = [(name, partial(read, root / name)) for name in names]
    images, kept, skipped = read_images(readers, errors, progress)
    skipped = sorted(closed + skipped)
    if not kept:
        raise ImageError(f"{root}: none of its {len(names)} images is readable: {skipped[0][1]}")
    folders = [name.split("/")[0] if "/" in name else "" for name in kept]
    class_names = tuple(sorted(set(folders) - {""}))
    positions = {"": -1} | {name: position for position, name in enumerate(class_names)}
    labels = np.array([positions[folder] for folder in folders], np.int64)
    return ImageFolder(images, labels, class_names, tuple(kept), tuple(skipped), str(root))


def read_images(
    readers: Sequence[tuple[str, Callable[[], Images]]],
    errors: Literal["raise", "skip"],
    progress: Progress | None,
) -> tuple[Images, list[str], list[tuple[str, str]]]:
    """Call each reader and stack the images; return them, their names, and what was skipped.

    Raises
    ------
    ImageError
        If two images differ in size, whatever `errors` says: to leave out all that are not like
        the first one is nobody's wish.
    """
    stack = _Stack(len(readers))
    skipped: list[tuple[str, str]] = []
    for done, (name, read) in enumerate(readers, start=1):
        try:
            image = read()
        except ImageError as error:
            if errors == "raise":
                raise
            skipped.append((name, str(error)))
        else:
            stack.push(name, image)
        if progress is not None:
            progress(done, len(readers))
    return stack.images(), stack.names, skipped


class _Stack:
    """Images of one size, in one array that is made once a second one has that size."""

    def __init__(self, most: int) -> None:
        self.names: list[str] = []
        self._most = most
        self._images: Images = np.empty((0, 0, 0), np.uint8)

    def push(self, name: str, image: Images) -> None:
        if not self.names:
            self._images = image[None].copy()
        elif image.shape != self._images.shape[1:]:
            raise ImageError(
                f"{printable(name)}: is {image.shape[:2]}, {printable(self.names[0])} is "
                f"{self._images.shape[1:3]}; images of several sizes need size=(height, width)"
            )
        elif len(self.names) == 1:
            self._grow()
        self._images[len(self.names)] = image
        self.names.append(name)

    def _grow(self) -> None:
        shape = (self._most, *self._images.shape[1:])
        try:
            whole = np.empty(shape, np.uint8)
        except MemoryError:
            gigabytes = math.prod(shape) / 1e9
            raise MemoryError(
                f"{self._most} images of {shape[1:]} take {gigabytes:,.1f} GB; pass a smaller size="
            ) from None
        whole[0] = self._images[0]
        self._images = whole

    def images(self) -> Images:
        return self._images[: len(self.names)]


def _list_folder(
    root: Path,
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the sorted names of what looks like a picture, and of folders that stay closed."""
    if not root.is_dir():
        hint = "is a file, which read_image reads" if root.is_file() else "no such folder"
        raise DatasetNotFoundError(f"{root}: {hint}")
    closed: list[tuple[str, str]] = []

    def note(error: OSError) -> None:
        folder = Path(os.fsdecode(error.filename))
        if folder == root:
            raise error
        name = folder.relative_to(root).as_posix() + "/"
        closed.append((name, f"{printable(name)}: cannot be listed: {error.strerror}"))

    names = sorted(_walk(root, note))
    if not names and not closed:
        raise ImageError(f"{root}: holds no images")
    return names, closed


def _walk(root: Path, note: Callable[[OSError], None]) -> Iterator[str]:
    suffixes = picture_suffixes()
    for folder, folders, files in os.walk(root, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = os.path.join(folder, name)
            if not name.startswith(".") and looks_like_a_picture(path, suffixes):
                yield Path(path).relative_to(root).as_posix()
