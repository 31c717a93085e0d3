"""The folders of a collection in time: what lies in each, and from when it is."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from typing import Any

from ..collection import Collection
from ..collection.catalogue import roots_of
from ..files import write_bytes
from ..images.decoding import printable
from .library import Library

__all__ = ["Folders", "folders_of"]

_COVERS = 4
_NAME = "folders.json"
# What takes less than so many seconds is made when it is asked for.
_SOON = 0.3
# A path without the characters at its end that are no slash is its folder.
_TEXT = "CAST(path AS TEXT)"
_QUERY = f"""SELECT root, CAST(rtrim({_TEXT}, replace({_TEXT}, '/', '')) AS BLOB) AS folder,
    count(*), sum(size), min(taken), max(taken), group_concat(images.id)
    FROM files JOIN images USING (content) WHERE state = 'present' GROUP BY root, folder"""


class Folders:
    """What :func:`folders_of` gives; kept, and made anew after changes.

    In a large collection that takes seconds: what was known before is given meanwhile.

    Parameters
    ----------
    library : Library
    folder : str
        Where it is kept from one start to the next.
    """

    def __init__(self, library: Library, folder: str) -> None:
        self._library = library
        self._path = os.path.join(folder, _NAME)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._seconds = 0.0
        self._key, self._rows = self._kept()

    def get(self, collection: Collection) -> list[dict[str, Any]]:
        """Return the folders."""
        with self._lock:
            if self._key != _key_of(collection):
                if self._rows is None or self._seconds < _SOON:
                    self._make(collection)
                elif self._thread is None:
                    self._thread = threading.Thread(target=self._make_anew, daemon=True)
                    self._thread.start()
            return self._rows or []

    def close(self) -> None:
        """Wait until nothing is made."""
        if self._thread is not None:
            self._thread.join()

    def _make_anew(self) -> None:
        with self._library.reader() as collection:
            self._make(collection)
        self._thread = None

    def _make(self, collection: Collection) -> None:
        started = time.monotonic()
        key, rows = _key_of(collection), folders_of(collection)
        self._seconds = time.monotonic() - started
        self._key, self._rows = key, rows
        with suppress(OSError):
            write_bytes(self._path, json.dumps([key, self._seconds, rows]).encode())

    def _kept(self) -> tuple[list[int] | None, list[dict[str, Any]] | None]:
        with suppress(OSError, ValueError), open(self._path, encoding="utf-8") as file:
            key, self._seconds, rows = json.load(file)
            return key, rows
        return None, None


def _key_of(collection: Collection) -> list[int]:
    """Return what changes with the files."""
    row = collection.catalogue.execute(
        "SELECT (SELECT coalesce(max(id), 0) FROM files), "
        "(SELECT count(*) FROM files WHERE state != 'present'), "
        # A time rather than an id, which comes again where a copy of the catalogue was put back.
        "coalesce((SELECT time_ns FROM operations ORDER BY id DESC LIMIT 1), 0)"
    ).fetchone()
    return [*collection.catalogue.generation, *row]


def folders_of(collection: Collection) -> list[dict[str, Any]]:
    """Return folders with images, the latest first; those without a date come last.

    Returns
    -------
    folders : list of dict
        ``name``: as it is shown; ``filter``: text of :func:`.filters.parse_filter` for what is in
        it; ``files``, ``bytes``, ``first`` and ``last`` (ISO 8601 or None), ``covers`` (ids).
    """
    names = {root.id: os.path.basename(root.path) for root in roots_of(collection.catalogue)}
    rows = [
        {
            "name": _shown(names[root], folder.rstrip(b"/")),
            "filter": _filter(folder.rstrip(b"/")),
            "files": files,
            "bytes": size,
            "first": first,
            "last": last,
            "covers": [int(one) for one in ids.split(",", _COVERS)[:_COVERS]],
        }
        for root, folder, files, size, first, last, ids in collection.catalogue.execute(_QUERY)
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
