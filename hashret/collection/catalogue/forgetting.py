"""Forgetting: the only way by which an image leaves the catalogue."""

from __future__ import annotations

import os

from .catalogue import Catalogue
from .numbers import signed
from .roots import roots_of

__all__ = ["GONE", "forget_missing"]

# Why a file is missing whose folder was looked into; all other reasons are of what is out of reach.
GONE = "gone"


def forget_missing(catalogue: Catalogue, *, offline: bool = False) -> tuple[int, int]:
    """Remove the files that are missing, and the images of which no file is left.

    What is offline stays, unless that is asked for, too: what lies in a folder that cannot be
    reached, in a root that is empty now, or where another file system is than the file was on, as
    when its disk is not mounted.

    An image whose file is in the quarantine stays. So do what was decided about an image, and the
    caller's metadata: they go by content.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    offline : bool
        Remove what is offline, too.

    Returns
    -------
    files, images : int
        How many were removed.
    """
    orphans = """SELECT id FROM images
        WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.content = images.content)
        AND content NOT IN (SELECT content FROM operations
            WHERE state != 'undone' AND content IS NOT NULL)"""
    with catalogue.transaction():
        rows = [(row,) for row in _missing(catalogue, offline)]
        catalogue.executemany("DELETE FROM files WHERE id = ?", rows)
        catalogue.execute(f"DELETE FROM codes WHERE image IN ({orphans})")
        images = catalogue.execute(f"DELETE FROM images WHERE id IN ({orphans})").rowcount
        if images:
            catalogue.raise_generation(removed=True)
    return len(rows), images


def _missing(catalogue: Catalogue, offline: bool) -> list[int]:
    """Return the rows of the files that are missing; with `offline`, of all of them."""
    roots = {root.id: root.path for root in roots_of(catalogue)}
    devices = {path: _device(path) for path in roots.values()}
    query = "SELECT id, root, path, device, reason FROM files WHERE state = 'missing'"
    return [
        row
        for row, root, path, device, reason in catalogue.execute(query)
        if offline
        or (reason == GONE and _device_of(os.path.join(roots[root], path), devices) == device)
    ]


def _device_of(path: bytes, known: dict[bytes, int | None]) -> int | None:
    """Return the device of the nearest folder above a path that is there, up to its root."""
    folder = os.path.dirname(path)
    if folder not in known:
        found = _device(folder)
        known[folder] = _device_of(folder, known) if found is None else found
    return known[folder]


def _device(folder: bytes) -> int | None:
    try:
        return signed(os.stat(folder).st_dev)
    except OSError:
        return None
