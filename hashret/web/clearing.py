"""From groups as the page shows them to files that can go to the quarantine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from ..collection import Collection
from ..collection.catalogue import roots_of
from ..collection.images import images_of
from ..collection.removing import Copy, Duplicate, Removed
from ..images.decoding import printable
from .groups import Entry

__all__ = ["Clearing", "reason_of"]


class Clearing:
    """Groups that are on their way to the quarantine, and which of them are done with.

    Parameters
    ----------
    collection : Collection

    Attributes
    ----------
    torn : bool
        Whether some files of a group went and others were left.
    """

    def __init__(self, collection: Collection) -> None:
        self._catalogue = collection.catalogue
        self._roots = {root.id: root.path for root in roots_of(self._catalogue)}
        # Groups of which all was given, and is therefore moved or left when that is told.
        self._given: list[tuple[int, list[bytes]]] = []
        self._left: set[bytes] = set()
        self._told = 0
        self.torn = False

    def duplicates(self, entries: Iterable[Entry]) -> Iterator[Duplicate]:
        """Yield what goes of groups, all but their keepers.

        Whether the files are there, and what they were, is looked at when they go.
        """
        for entry in entries:
            found = self._of(entry)
            yield from found
            self._given.append((entry.number, [one.member.path for one in found]))

    def cleared(self, removed: Removed) -> list[int]:
        """Return the groups of which all went since the last time."""
        self._left.update(path for path, _ in removed.left[self._told :])
        self._told = len(removed.left)
        given, self._given = self._given, []
        whole = []
        for number, paths in given:
            left = sum(path in self._left for path in paths)
            if not left:
                whole.append(number)
            elif left < len(paths):
                self.torn = True
        return whole

    def _of(self, entry: Entry) -> list[Duplicate]:
        images = images_of(self._catalogue, entry.images)
        contents = {image.id: image.content for image in images}
        keeper, *members = (self._copy(one, contents) for one in entry.places)
        return [Duplicate(keeper, member) for member in members]

    def _copy(self, place: dict[str, Any], contents: dict[int, bytes]) -> Copy:
        path = os.path.join(self._roots[place["root"]], os.fsencode(place["path"]))
        # No file holds what was forgotten: it is left.
        return Copy(place["root"], path, contents.get(place["id"], b""))


def reason_of(collection: Collection, left: list[tuple[bytes, str]]) -> str | None:
    """Say of the first file that was left why, its path without what is above its root."""
    if not left:
        return None
    path, reason = left[0]
    text = f"{os.fsdecode(path)}: {reason}"
    for folder in sorted((*collection.roots, collection.store), key=len, reverse=True):
        text = text.replace(os.path.join(folder, ""), os.path.join(os.path.basename(folder), ""))
    return printable(text)
