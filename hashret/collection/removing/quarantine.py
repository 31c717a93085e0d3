"""The quarantine: folders to which files go, each on the file system of its root if it can be."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from ..store import STORE, folder_in
from .journal import Journal

__all__ = ["Quarantine", "drop_empty"]

_NAME = "quarantine"


class Quarantine:
    """Where the files of one batch go; a folder is made when its first file comes.

    Parameters
    ----------
    journal : Journal
    batch : int
    """

    def __init__(self, journal: Journal, batch: int) -> None:
        self._journal = journal
        self._folder = b"%d-%s" % (batch, time.strftime("%Y%m%d-%H%M%S").encode())
        self._made: dict[int, tuple[int | None, bytes]] = {}

    def target(self, root: int, path: bytes) -> tuple[int | None, bytes]:
        """Return root and path to which a file of a root goes.

        In the folder ``.hashret`` of its root; in the store where that cannot be written.
        """
        if root not in self._made:
            self._made[root] = self._make(root)
        above, folder = self._made[root]
        return above, os.path.join(folder, path)

    def _make(self, root: int) -> tuple[int | None, bytes]:
        inside = os.path.join(os.fsencode(STORE), _NAME.encode(), self._folder)
        try:
            absolute = os.path.join(self._journal.roots[root], inside)
            os.makedirs(absolute, exist_ok=True)
            if os.path.realpath(absolute) == absolute:
                return root, inside
        except OSError:
            pass
        folder = os.path.join(_NAME, f"{os.fsdecode(self._folder)}-{root}")
        folder_in(self._journal.catalogue.store, folder)
        return None, os.fsencode(folder)


def drop_empty(path: bytes) -> None:
    """Remove the folders above what was in a quarantine, as far as they are empty."""
    folder = os.path.dirname(path)
    with suppress(OSError):
        while os.path.basename(folder) != _NAME.encode():
            os.rmdir(folder)
            folder = os.path.dirname(folder)
