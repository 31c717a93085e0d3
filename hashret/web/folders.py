"""The folders of a collection in time: what lies in each, and from when it is."""

from __future__ import annotations

import os
import threading
from typing import Any

from ..collection import Collection
from ..collection.catalogue import roots_of
from ..images.decoding import printable

__all__ = ["Folders", "folders_of"]

_COVERS = 4


class Folders:
    """What :func:`folders_of` gives, made anew after changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[Any, list[dict[str, Any]]] = (None, [])

    def get(self, collection: Collection, version: object) -> list[dict[str, Any]]:
        """Return the folders; `version` tells whether something has changed."""
        with self._lock:
            if self._known[0] != version:
                self._known = version, folders_of(collection)
            return self._known[1]


def folders_of(collection: Collection) -> list[dict[str, Any]]:
    """Return folders with images, the latest first; those without a date come last.

    Returns
    -------
    folders : list of dict
        ``name``: as it is shown; ``filter``: text of :func:`.filters.parse_filter` for what is in
        it; ``files``, ``bytes``, ``first`` and ``last`` (ISO 8601 or None), ``covers`` (ids).
    """
    roots = roots_of(collection.catalogue)
    names = {root.id: os.path.basename(root.path) for root in roots}
    found: dict[tuple[int, bytes], dict[str, Any]] = {}
    for root, path, size, image, taken in collection.catalogue.execute(
        "SELECT root, path, size, images.id, taken FROM files JOIN images USING (content) "
        "WHERE state = 'present'"
    ):
        key = root, os.path.dirname(path)
        one = found.get(key)
        if one is None:
            one = found[key] = {"files": 0, "bytes": 0, "first": None, "last": None, "covers": []}
        one["files"] += 1
        one["bytes"] += size
        if len(one["covers"]) < _COVERS:
            one["covers"].append(image)
        if taken is not None:
            one["first"] = min(one["first"] or taken, taken)
            one["last"] = max(one["last"] or taken, taken)
    rows = [
        {"name": _shown(names[root], folder), "filter": _filter(folder), **one}
        for (root, folder), one in found.items()
    ]
    rows.sort(key=lambda one: one["name"])
    return sorted(rows, key=lambda one: one["last"] or "", reverse=True)


def _shown(root: bytes, folder: bytes) -> str:
    return printable(os.fsdecode(folder or root))


def _filter(folder: bytes) -> str:
    """Return a filter for the files of a folder; none for those that lie in a root itself."""
    try:
        text = folder.decode()
    except UnicodeDecodeError:
        return ""
    escaped = "".join(f"[{one}]" if one in "*?[" else one for one in text)
    return 'folder = "{}"'.format(escaped.replace('"', '""')) if text else ""
