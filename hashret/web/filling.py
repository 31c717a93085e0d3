"""Groups of duplicates found and written into a table; runs in a process of its own."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from ..collection import Collection
from ..collection.catalogue import roots_of
from ..collection.duplicates import Group, Member, Place, Rules, find_duplicates
from .answers import shown_path
from .groups import Entry, GroupTable

__all__ = ["entry_of", "fill_groups", "groups_among", "key_of"]

_AT_ONCE = 200
_ENCODER, _INNER = "perceptual", "borderless"
# Seconds between two notes of how far it is.
_PAUSE = 0.5


def fill_groups(store: str, path: str) -> None:
    """Find the groups of a collection, and write them into a new table.

    When it is whole, its fact ``key`` is what :func:`key_of` gave at the start, and ``generation``
    a word that no other table has; until then ``progress`` tells how many images of how many are
    compared.
    """
    table = GroupTable(path)
    with Collection.open(store) as collection:
        key = key_of(collection)
        entries = _told(collection, table)
        while chunk := list(islice(entries, _AT_ONCE)):
            table.add(chunk)
    table.note("generation", secrets.token_hex(8))
    table.note("key", key)
    table.close()


def groups_among(collection: Collection, images: Iterable[int], number: int) -> list[Entry]:
    """Return the groups that some images make, as of now; the first has a given number."""
    among = np.array(sorted(set(images)), np.int64)
    return list(_entries(collection, number, among=among))


def _told(collection: Collection, table: GroupTable) -> Iterator[Entry]:
    """Return all groups, and tell in the table how far that is."""
    told = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told > _PAUSE:
            told = time.monotonic()
            table.note("progress", [done, total])

    return _entries(collection, 1, on_step=tell)


def _entries(collection: Collection, first: int, **options: Any) -> Iterator[Entry]:
    encoders = collection.encoders
    roots = {root.id: root.path for root in roots_of(collection.catalogue)}
    groups = find_duplicates(
        collection.catalogue,
        encoders.get(_ENCODER),
        Rules(),
        inner=encoders.get(_INNER) if _ENCODER in encoders else None,
        **options,
    )
    for number, group in enumerate(groups, first):
        yield entry_of(number, group, roots)


def entry_of(number: int, group: Group, roots: dict[int, bytes]) -> Entry:
    """Return a group as the page shows it, and what tells its files from others."""
    saved = sum(member.place.size for member in group.members)
    body = {
        "keep": _place(group.keep, roots),
        "members": [{**_place(one.place, roots), **_said(one)} for one in group.members],
    }
    return Entry(number, saved, 1 + len(group.members), body)


def _place(place: Place, roots: dict[int, bytes]) -> dict[str, Any]:
    folder, name = shown_path(place.path, roots.values())
    return {
        "id": place.id,
        "name": name,
        "folder": folder,
        "format": place.format,
        "width": place.width,
        "height": place.height,
        "bytes": place.size,
        # Two files may be shown alike, as those of two roots of one name.
        "root": place.root,
        "path": os.fsdecode(os.path.relpath(place.path, roots[place.root])),
    }


def _said(member: Member) -> dict[str, Any]:
    return {"tier": member.tier, "distance": member.distance, "transform": member.transform}


def key_of(collection: Collection) -> list[Any]:
    """Return what the groups depend on: codes, encoders, decisions and files."""
    # Times rather than ids, which come again where a copy of the catalogue was put in its place.
    row = collection.catalogue.execute(
        "SELECT coalesce((SELECT time_ns FROM decisions ORDER BY id DESC LIMIT 1), 0), "
        "(SELECT count(*) FROM decisions), "
        "coalesce((SELECT time_ns FROM operations ORDER BY id DESC LIMIT 1), 0), "
        "(SELECT coalesce(max(id), 0) FROM files), "
        "(SELECT count(*) FROM files WHERE state != 'present')"
    ).fetchone()
    used = [row.id for name, row in collection.encoders.items() if name in (_ENCODER, _INNER)]
    return [*collection.catalogue.generation, sorted(used), *row]
