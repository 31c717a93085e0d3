"""Images from a folder of photographs, read with pillow."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import ImageError, ParameterError
from ..images.decoding import printable
from ..types import Images
from .base import Labels, Progress, as_path
from .decoding import Mode, Size, check_max_pixels, check_mode, check_size, read_image
from .room import check_room
from .scanning import Found, scan
from .stacking import read_images


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
        Paths relative to the folder, with forward slashes, sorted; one an image. As paths are in
        Python, bytes of a name that are not UTF-8 stand in it as surrogate escapes.
    skipped : tuple of (str, str)
        What looks like an image and was not read, or may hold some and could not be listed, and
        why; sorted, and fit to be printed (``errors="skip"``).
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
    size : (height, width), optional
        Resize to this, without keeping the aspect ratio. Needed unless all images have one size.
    mode : {"rgb", "grey"}
    errors : {"raise", "skip"}
        What an unreadable image does: end the reading, or be listed in ``skipped``.
    progress : callable, optional
        Called as ``progress(images_done, images_total)``.
    max_pixels : int, optional
        Refuse an image of which more pixels would have to be decoded; see :func:`read_image`.

    Returns
    -------
    folder : ImageFolder

    Raises
    ------
    DatasetNotFoundError
        If there is no such folder.
    ImageError
        If the folder holds no (readable) image, or an image is damaged, too large
        (a decompression bomb), of a format that is not read, or no regular file; or if a
        subfolder cannot be listed. Whatever `errors` says, if images have several sizes while
        `size` is None, or take more memory than there is.

    Notes
    -----
    A file is an image if its suffix is that of a picture format or its first bytes are, whichever
    the suffix; images are decoded as :func:`read_image` says. So each file that looks like an
    image is in ``names`` or in ``skipped``. Hidden files and folders and linked folders are left
    out.
    """
    if errors not in ("raise", "skip"):
        raise ParameterError(f'errors: expected "raise" or "skip", got {errors!r}')
    size = check_size(size)
    check_max_pixels(max_pixels)
    check_mode(mode)
    root = as_path(path)
    found = scan(str(root), max_pixels)
    problems = _reported(root, found, errors)
    readers = [
        (name, partial(read_image, root / name, size, mode=mode, max_pixels=max_pixels))
        for name in found.names
    ]
    if size is not None:
        check_room((len(readers), *size, *((3,) if mode == "rgb" else ())))
    images, kept, skipped = read_images(readers, errors, progress)
    skipped = sorted(skipped + problems)
    if not kept:
        raise _none_is_readable(root, skipped)
    folders = [name.split("/")[0] if "/" in name else "" for name in kept]
    class_names = tuple(sorted(set(folders) - {""}))
    positions = {"": -1} | {name: position for position, name in enumerate(class_names)}
    labels = np.array([positions[folder] for folder in folders], np.int64)
    return ImageFolder(images, labels, class_names, tuple(kept), tuple(skipped), str(root))


def _reported(root: Path, found: Found, errors: str) -> list[tuple[str, str]]:
    """Return the rows of what could not be looked at, or raise the first."""
    rows = [
        (printable(name), printable(f"{root / name}: {reason}")) for name, reason in found.problems
    ]
    if rows and errors == "raise":
        raise ImageError(rows[0][1])
    return rows


def _none_is_readable(root: Path, skipped: list[tuple[str, str]]) -> ImageError:
    if not skipped:
        return ImageError(printable(f"{root}: holds no images"))
    return ImageError(
        printable(f"{root}: none of its {len(skipped)} images is readable: {skipped[0][1]}")
    )
