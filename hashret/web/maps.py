"""The map of a collection, made once in the background, and kept."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

import numpy as np

from ..collection import Collection
from ..collection.indexes import codes_of
from ..collection.searching import default_encoder
from ..collection.store import folder_in
from ..files import write_bytes
from .projection import layout, records

__all__ = ["Maps"]

# Ids that four bytes hold.
_MOST_ID = 2**32 - 1


class Maps:
    """The map of the encoder that answers by default.

    Parameters
    ----------
    store : str
        It is kept there where that can be written, else in memory.
    """

    def __init__(self, store: str) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._made: tuple[str, bytes] | None = None
        self.error: str | None = None

    def points(self, collection: Collection) -> tuple[str, bytes] | None:
        """Return the name and the points of the map; None while it is made.

        A map that lacks the latest images is returned while the next one is made.
        """
        if not collection.encoders:
            return "empty", b""
        encoder = collection.row(default_encoder(collection))
        generation, removed = collection.catalogue.generation
        name = f"map-{encoder.id}-{generation}-{removed}"
        with self._lock:
            if self._made is None or self._made[0] != name:
                kept = self._kept(name)
                if kept is not None:
                    self._made = name, kept
                elif self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(
                        target=self._make, args=(name,), name="map", daemon=True
                    )
                    self._thread.start()
            return self._made

    def close(self) -> None:
        """Wait a little for a map that is being made."""
        if self._thread is not None:
            self._thread.join(30)

    def _make(self, name: str) -> None:
        try:
            with Collection.open(self._store) as collection:
                row = collection.row(default_encoder(collection))
                ids, codes = codes_of(collection.catalogue, row)
            small = ids <= _MOST_ID
            points = records(ids[small], layout(row.bits, codes[small]))
        except Exception as error:
            # Told on the page; never the end of the server.
            self.error = type(error).__name__
            return
        self._made, self.error = (name, points), None
        with suppress(OSError):
            folder = folder_in(self._store, "web")
            for old in os.listdir(folder):
                if old.startswith("map-"):
                    os.remove(os.path.join(folder, old))
            write_bytes(os.path.join(folder, name), points)

    def _kept(self, name: str) -> bytes | None:
        with suppress(OSError), open(os.path.join(self._store, "web", name), "rb") as file:
            data = file.read()
            return data if len(data) % np.dtype("<u8").itemsize == 0 else None
        return None
