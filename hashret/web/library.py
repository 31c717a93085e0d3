"""The collection as many requests read it, and as one at a time changes it."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..collection import Collection

__all__ = ["Library"]


class Library:
    """A collection, opened for reading by several threads.

    Parameters
    ----------
    store : path
        Of the collection.
    readers : int
        Threads that may read at a time.
    load : callable, optional
        What opens indexes, see :meth:`hashret.collection.Collection.search_by`.

    Notes
    -----
    Each reader has its own connection: a statement that is under way would hold the others of a
    connection at its moment in time. They share indexes and encoders.
    """

    def __init__(
        self,
        store: str | os.PathLike[str],
        readers: int = 4,
        load: Callable[..., Any] | None = None,
    ) -> None:
        self._watch = Collection.open(store)
        if load is not None:
            self._watch.search_by(load)
        self.store = self._watch.store
        # Of one thread at a time, whose encoders stay in memory.
        self.encoding = self._watch.again()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._count = readers
        self._free: queue.LifoQueue[Collection] = queue.LifoQueue()
        for _ in range(readers):
            self._free.put(self._watch.again())

    @contextmanager
    def reader(self) -> Iterator[Collection]:
        """Lend a collection to this thread; what it knows is up to date."""
        collection = self._free.get()
        try:
            yield collection
        finally:
            self._free.put(collection)

    @contextmanager
    def writer(self) -> Iterator[Collection]:
        """Open the collection as its one writer.

        Raises
        ------
        LockedError
            If another process changes it.
        """
        with self._writing, Collection.change(self.store) as collection:
            yield collection

    @property
    def version(self) -> tuple[int, int, int]:
        """A number that differs after every change of the catalogue, behind its generation."""
        with self._lock:
            generation = self._watch.catalogue.generation
            (version,) = self._watch.catalogue.execute("PRAGMA data_version").fetchone()
            return *generation, version

    def close(self) -> None:
        """Close all of it, when the requests have ended."""
        for _ in range(self._count):
            self._free.get().close()
        self.encoding.close()
        self._watch.close()
