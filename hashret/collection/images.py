"""What is known of an image, and where its files lie."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .catalogue import Catalogue, roots_of

__all__ = ["File", "Image", "images_of"]

_AT_ONCE = 10_000


class File(NamedTuple):
    """A place where the bytes of an image lie, or lay if it is missing.

    Attributes
    ----------
    root : int
        Row of its root.
    path : bytes
        Absolute.
    state : {"present", "missing"}
    reason : str or None
        Why it is missing.
    size : int
        Bytes.
    mtime_ns : int
    device, inode : int
        Equal for hard links.
    link : bool
        Whether it is a symbolic link.
    """

    root: int
    path: bytes
    state: str
    reason: str | None
    size: int
    mtime_ns: int
    device: int
    inode: int
    link: bool


class Image(NamedTuple):
    """An image of a collection.

    Attributes
    ----------
    id : int
        The same for ever, and in every index.
    content : bytes
        SHA-256 of its bytes.
    format : str
    width, height : int
        Pixels, upright.
    taken : str or None
        ISO 8601.
    files : tuple of File
        In the order of their paths, those that are present first.
    """

    id: int
    content: bytes
    format: str
    width: int
    height: int
    taken: str | None
    files: tuple[File, ...]


def images_of(catalogue: Catalogue, ids: Iterable[int] | None = None) -> Iterator[Image]:
    """Yield what is known of images, in the order of their ids.

    Parameters
    ----------
    catalogue : Catalogue
    ids : iterable of int, optional
        All by default. Unknown ones are left out.
    """
    roots = {root.id: root.path for root in roots_of(catalogue)}
    wanted = None if ids is None else sorted({int(one) for one in ids})
    after = 0
    while wanted is None or wanted:
        if wanted is None:
            query = "SELECT id FROM images WHERE id > ? ORDER BY id LIMIT ?"
            part = [row for (row,) in catalogue.execute(query, (after, _AT_ONCE))]
        else:
            part, wanted = wanted[:_AT_ONCE], wanted[_AT_ONCE:]
        if not part:
            return
        yield from _loaded(catalogue, part, roots)
        after = part[-1]


def _loaded(catalogue: Catalogue, ids: list[int], roots: dict[int, bytes]) -> list[Image]:
    files: dict[bytes, list[File]] = {}
    chosen = "(SELECT value FROM json_each(?))"
    listed = json.dumps(ids)
    for content, root, path, *others in catalogue.execute(
        "SELECT files.content, root, path, state, reason, size, mtime_ns, device, inode, link "
        f"FROM files JOIN images USING (content) WHERE images.id IN {chosen} "
        "AND state IN ('present', 'missing') ORDER BY state DESC, root, path",
        (listed,),
    ):
        place = File._make((root, os.path.join(roots[root], path), *others))
        files.setdefault(content, []).append(place)
    rows = catalogue.execute(
        "SELECT id, content, format, width, height, taken FROM images "
        f"WHERE id IN {chosen} ORDER BY id",
        (listed,),
    )
    return [Image._make((*row, tuple(files.get(row[1], ())))) for row in rows.fetchall()]
