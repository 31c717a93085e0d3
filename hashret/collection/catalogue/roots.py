"""The folders of a collection: where they are, and which of two that overlap has a file."""

from __future__ import annotations

import os
from typing import NamedTuple

from .catalogue import Catalogue

__all__ = ["Root", "add_root", "drop_unreachable", "roots_of"]


class Root(NamedTuple):
    """A folder of the collection: its row in the catalogue, and where it is now."""

    id: int
    path: bytes


def add_root(catalogue: Catalogue, path: str | bytes) -> Root:
    """Add a folder to a collection, unless it is there already.

    A folder inside another one is a root of its own, and has its files alone. If the store lies in
    the folder, both may be moved together.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    path : path

    Raises
    ------
    NotADirectoryError
        If it is no folder.
    """
    found = os.path.realpath(os.fsencode(path))
    if not os.path.isdir(found):
        raise NotADirectoryError(f"{os.fsdecode(found)}: no folder")
    for root in roots_of(catalogue):
        if root.path == found or _same(root.path, found):
            return root
    kept = _kept(catalogue.store, found)
    (row,) = catalogue.execute(
        "INSERT INTO roots (path) VALUES (?) RETURNING id", (kept,)
    ).fetchall()
    return Root(row[0], found)


def roots_of(catalogue: Catalogue) -> list[Root]:
    """Return the folders of a collection, reachable or not."""
    store = os.path.realpath(os.fsencode(catalogue.store))
    rows = catalogue.execute("SELECT id, path FROM roots ORDER BY id")
    return [Root(row, os.path.normpath(os.path.join(store, path))) for row, path in rows]


def drop_unreachable(catalogue: Catalogue) -> list[bytes]:
    """Drop the folders of a collection that cannot be reached and of which nothing is known.

    One stays in any case, and so does one that the journal of what was moved speaks of.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.

    Returns
    -------
    paths : list of bytes
        Of those that were dropped.
    """
    roots = roots_of(catalogue)
    dropped: list[bytes] = []
    with catalogue.transaction():
        for root in roots:
            if len(dropped) + 1 < len(roots) and not os.path.isdir(root.path):
                unused = """DELETE FROM roots WHERE id = ?1
                    AND NOT EXISTS (SELECT 1 FROM files WHERE root = ?1)
                    AND NOT EXISTS (SELECT 1 FROM operations WHERE ?1 IN (root, target_root))"""
                if catalogue.execute(unused, (root.id,)).rowcount:
                    dropped.append(root.path)
    return dropped


def _kept(store: str, path: bytes) -> bytes:
    """Return a path as the catalogue keeps it: relative where the store lies inside."""
    own = os.path.realpath(os.fsencode(store))
    inside = own == path or own.startswith(path.rstrip(b"/") + b"/")
    return os.path.relpath(path, own) if inside else path


def _same(one: bytes, other: bytes) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
