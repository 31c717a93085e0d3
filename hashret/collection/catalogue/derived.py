"""Files of the store that are made from the catalogue, and mean nothing beside another."""

from __future__ import annotations

import os
import re
from contextlib import suppress

__all__ = ["drop_derived"]

# By folder. Those of the page hold ids of images, and batches of the quarantine.
_NAMES = {
    "indexes": re.compile(r"\d+-\d+-\d+\.hri"),
    "web": re.compile(r"groups-[01]\.sqlite(-journal)?|map-\d+-\d+-\d+|folders\.json|bulk\.json"),
}


def drop_derived(store: str) -> None:
    """Remove what was made from a catalogue that is not in the store any more.

    All else stays: the quarantine, encoders, thumbnails, which go by content, and files that are
    not of this package.
    """
    for folder, names in _NAMES.items():
        # What cannot be removed is not taken for the new one's, by its generation.
        with suppress(OSError), os.scandir(os.path.join(store, folder)) as entries:
            for entry in entries:
                if names.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    with suppress(OSError):
                        os.remove(entry.path)
