"""From groups as the page shows them to files that can go to the quarantine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from ..collection import Collection
from ..collection.images import Image, images_of
from ..collection.removing import Copy, Duplicate
from .answers import shown_path
from .groups import Entry

__all__ = ["duplicates_in"]


def duplicates_in(collection: Collection, entries: Iterable[Entry]) -> Iterator[Duplicate]:
    """Yield what goes of groups, all but their keepers.

    A table keeps names as they are shown; the files are looked up. One that is not there any more
    is left out, and so is one whose keeper is not.
    """
    roots = [os.fsencode(root) for root in collection.roots]
    for entry in entries:
        images = {image.id: image for image in images_of(collection.catalogue, entry.images)}
        keeper, *members = (_copy(images.get(one["id"]), one, roots) for one in entry.places)
        if keeper is not None:
            yield from (Duplicate(keeper, member) for member in members if member is not None)


def _copy(image: Image | None, place: dict[str, Any], roots: list[bytes]) -> Copy | None:
    """Return the file of an image that is shown so."""
    for file in image.files if image is not None else ():
        shown = shown_path(file.path, roots)
        if file.state == "present" and shown == (place["folder"], place["name"]):
            assert image is not None
            return Copy(file.root, file.path, image.content)
    return None
