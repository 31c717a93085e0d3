"""The map of a collection, made once in the background, and kept."""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import suppress

from ..collection import Collection
from ..collection.searching import default_encoder
from ..collection.store import folder_in
from .jobs import Job

__all__ = ["Maps"]

_POINT = 8


class Maps:
    """The map of the encoder that answers by default.

    Parameters
    ----------
    store : str
        It is kept there where that can be written, else in a temporary folder.
    """

    def __init__(self, store: str) -> None:
        self._store = store
        self._temporary = tempfile.TemporaryDirectory(prefix="hashret-")
        try:
            self._folder = folder_in(store, "web")
        except OSError:
            self._folder = self._temporary.name
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._made: tuple[str, bytes] | None = None
        self.error: str | None = None

    def points(self, collection: Collection) -> bytes | None:
        """Return the points of the map; None while it is made.

        A map that lacks the latest images is returned while the next one is made.
        """
        if not collection.encoders:
            return b""
        encoder = collection.row(default_encoder(collection))
        generation, removed = collection.catalogue.generation
        name = f"map-{encoder.id}-{generation}-{removed}"
        with self._lock:
            if self._made is None or self._made[0] != name:
                self._look(name)
            return None if self._made is None else self._made[1]

    def close(self) -> None:
        """End the process that makes one."""
        with self._lock:
            if self._job is not None:
                self._job.end()
        self._temporary.cleanup()

    def _look(self, name: str) -> None:
        """Take the map that is wanted if it is there; have it made if not."""
        if self._job is not None:
            if self._job.status is None:
                return
            self.error = f"its process ended with {self._job.status}" if self._job.status else None
            self._job = None
        kept = self._kept(name)
        if kept is not None:
            self._made, self.error = (name, kept), None
            self._forget(name)
        elif self.error is None:
            self._job = Job("map", self._store, os.path.join(self._folder, name))

    def _kept(self, name: str) -> bytes | None:
        with suppress(OSError), open(os.path.join(self._folder, name), "rb") as file:
            data = file.read()
            return data if len(data) % _POINT == 0 else None
        return None

    def _forget(self, name: str) -> None:
        """Remove the maps of other times."""
        with suppress(OSError):
            for old in os.listdir(self._folder):
                if old.startswith("map-") and old != name:
                    os.remove(os.path.join(self._folder, old))
