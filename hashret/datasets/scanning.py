"""The pictures below a folder: which files are some, and what could not be looked at."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

from ..errors import DatasetNotFoundError, ImageError
from ..images.decoding import printable
from ..images.formats import open_picture, picture_suffixes, signature
from ..images.levels import UnfitImageError
from ..images.regular_files import read_regular
from .decoding import read_image

# Enough for the header of every format that has no bytes of its own at the start.
_HEAD = 2**16


@dataclass
class Found:
    """What lies below a folder, by relative names with forward slashes.

    Attributes
    ----------
    names : list of str
        Files that look like pictures.
    problems : list of (str, str)
        What else looks like a picture or may hold some, and the reason why it is not looked at.
    """

    names: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def scan(root: str, max_pixels: int | None) -> Found:
    """Find the pictures below a folder, sorted by name.

    A file looks like a picture if its suffix is that of a picture format, or its first bytes are,
    or if pillow decodes it. Hidden files and folders and linked folders are left out.

    Raises
    ------
    DatasetNotFoundError
        If there is no such folder.
    """
    suffixes = picture_suffixes()
    found, named_like_pictures, pending = Found(), [], [""]
    while pending:
        folder = pending.pop()
        for entry, is_folder in _listed(root, folder, found):
            name = f"{folder}/{entry.name}" if folder else entry.name
            suffix = os.path.splitext(entry.name)[1].lower()
            if entry.name.startswith("."):
                continue
            if is_folder:
                pending.append(name)
                named_like_pictures += [name] if suffix in suffixes else []
            elif suffix in suffixes or _is_picture(entry.path, suffix, max_pixels):
                found.names.append(name)
    for name in named_like_pictures:
        if not any(inside.startswith(f"{name}/") for inside in found.names):
            found.problems.append((name, "a folder, without pictures in it"))
    found.names.sort()
    found.problems.sort()
    return found


def _listed(root: str, folder: str, found: Found) -> list[tuple[os.DirEntry[str], bool]]:
    """Return the entries of a folder and whether they are folders; or note why there are none."""
    path = os.path.join(root, folder) if folder else root
    try:
        with os.scandir(path) as entries:
            return [(entry, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except (OSError, ValueError) as error:
        if not folder and not _exists(root):
            hint = ", but a file, which read_image reads" if os.path.isfile(root) else ""
            raise DatasetNotFoundError(printable(f"{root}: no such folder{hint}")) from error
        reason = getattr(error, "strerror", None) or error
        found.problems.append((folder or ".", f"cannot be listed: {reason}"))
        return []


def _exists(root: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(root).st_mode)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


def _is_picture(path: str, suffix: str, max_pixels: int | None) -> bool:
    """Whether a file without the suffix of a picture is one, by what it holds."""
    try:
        head = read_regular(path, float("inf"), _HEAD)
        if not head or signature(head) is not None:
            return bool(head)
        # Any file may pass for one of the formats that have no first bytes of their own.
        guess = not suffix
        open_picture(head, guess=guess).close()
        read_image(path, (1, 1), max_pixels=max_pixels)
    except UnfitImageError:
        return True
    except (OSError, ImageError):
        return False
    return True
