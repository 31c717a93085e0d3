"""From paths as people write them to the images of a collection."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from ..images.decoding import printable
from .catalogue import Catalogue, roots_of

__all__ = ["Placed", "place", "printed"]

T = TypeVar("T")


class Placed(NamedTuple, Generic[T]):
    """What was said of paths, by image.

    Attributes
    ----------
    values : dict of int
        By the ids of images.
    refused : list of (str, str)
        Paths that stand for no one image, fit to be printed, and why.
    """

    values: dict[int, T]
    refused: list[tuple[str, str]]


def place(
    catalogue: Catalogue,
    rows: Iterable[tuple[str | bytes, T]],
    base: str | os.PathLike[str] | None = None,
) -> Placed[T]:
    """Find the images that paths stand for; of missing files, too.

    Parameters
    ----------
    catalogue : Catalogue
    rows : iterable of (path, value)
        Paths are absolute, or relative to a root or to `base`.
    base : path, optional

    Returns
    -------
    placed : Placed
        A path that is unknown, or names different images in two roots, is refused; so is one of
        an image that had another value before.
    """
    finder = _Finder(catalogue, base)
    placed: Placed[T] = Placed({}, [])
    for path, value in rows:
        images = finder.find(os.fsencode(path))
        reason = _reason(images, placed.values, value)
        if reason:
            placed.refused.append((printed(path), reason))
        else:
            placed.values[images.pop()] = value
    return placed


def printed(path: str | bytes) -> str:
    """Return a path in one line of text."""
    return printable(os.fsdecode(path))


def _reason(images: set[int], known: dict[int, T], value: T) -> str:
    if not images:
        return "no image of the collection"
    if len(images) > 1:
        return "different images in several folders; give the whole path"
    (image,) = images
    if image in known and known[image] != value:
        return "an image with these bytes came before, with something else"
    return ""


class _Finder:
    def __init__(self, catalogue: Catalogue, base: str | os.PathLike[str] | None) -> None:
        self._catalogue = catalogue
        self._roots = roots_of(catalogue)
        self._base = None if base is None else os.path.realpath(os.fsencode(base))

    def find(self, path: bytes) -> set[int]:
        """Return the ids of the images that a path may stand for."""
        if b"\0" in path or not path:
            return set()
        if os.path.isabs(path):
            return self._absolute(path)
        found = self._absolute(os.path.join(self._base, path)) if self._base else set()
        relative = os.path.normpath(path)
        return found or {i for root in self._roots for i in self._relative(root.id, relative)}

    def _absolute(self, path: bytes) -> set[int]:
        """Return the image at an absolute path, whose folder may be named by a link."""
        folder, name = os.path.split(os.path.normpath(path))
        whole = {os.path.normpath(path), os.path.join(os.path.realpath(folder), name)}
        return {
            image
            for one in whole
            for root in self._roots
            if one.startswith(root.path.rstrip(b"/") + b"/")
            for image in self._relative(root.id, os.path.relpath(one, root.path))
        }

    def _relative(self, root: int, path: bytes) -> list[int]:
        query = """SELECT images.id FROM files JOIN images USING (content)
            WHERE root = ? AND path = ? AND state IN ('present', 'missing')"""
        return [image for (image,) in self._catalogue.execute(query, (root, path))]
