"""Images with labels, from where people have them."""

from __future__ import annotations

import os
from typing import NamedTuple

from ...errors import ImageError
from ...images.formats import picture_suffixes
from ..collection import Collection
from ..images import images_of
from ..labels import labels_of, read_labels

__all__ = ["Example", "from_collection", "from_csv", "from_folder"]


class Example(NamedTuple):
    """A file, and what is on it."""

    path: bytes
    label: str


def from_folder(folder: str | os.PathLike[str]) -> list[Example]:
    """Return the images of a folder per class: the first folder below is the label.

    Hidden files and folders are left out, and links to folders.

    Raises
    ------
    ImageError
        If there is none.
    """
    root = os.fsencode(folder)
    found = []
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(b"."))
        first = os.path.relpath(place, root).split(b"/")[0]
        label = first.decode(errors="backslashreplace")
        if first != b".":
            found += [
                Example(os.path.join(place, name), label)
                for name in sorted(files)
                if not name.startswith(b".") and _suffix(name) in picture_suffixes()
            ]
    if not found:
        raise ImageError(
            f"{os.fspath(folder)}: no images in folders of it; expected a folder for each class"
        )
    return found


def from_csv(path: str | os.PathLike[str]) -> list[Example]:
    """Return the images of a CSV with ``path,label``; paths are relative to its folder."""
    base = os.path.dirname(os.path.abspath(path))
    found = [
        Example(os.fsencode(os.path.join(base, name)), label) for name, label in read_labels(path)
    ]
    if not found:
        raise ImageError(f"{os.fspath(path)}: no lines")
    return found


def from_collection(collection: Collection, key: str) -> list[Example]:
    """Return the images that have a label under a key, and are there.

    Raises
    ------
    ImageError
        If none of them is there now.
    """
    labels = labels_of(collection.catalogue, key)
    found = [
        Example(image.files[0].path, labels[image.id])
        for image in images_of(collection.catalogue, labels)
        if image.files and image.files[0].state == "present"
    ]
    if not found:
        raise ImageError(f"key {key!r}: none of its {len(labels)} images is there now")
    return found


def _suffix(name: bytes) -> str:
    return os.path.splitext(os.fsdecode(name))[1].lower()
