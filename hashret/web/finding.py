"""The table of groups, filled in the background and kept up with the collection."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

from ..collection import Collection
from ..collection.duplicates import Group, Member, Place, Rules, find_duplicates
from ..collection.store import folder_in
from .answers import shown_path
from .groups import Entry, GroupTable

__all__ = ["GroupFinder", "State", "entry_of"]

_NAMES = ("groups-0.sqlite", "groups-1.sqlite")
_AT_ONCE = 200
_ENCODER, _INNER = "perceptual", "borderless"


class State(NamedTuple):
    """How far finding is: done of so many images; why it failed, if it did."""

    finding: bool
    done: int
    total: int
    error: str | None


class GroupFinder:
    """Finds duplicates in a thread, by a reader of its own.

    There are two files: one is filled while the other answers, until it is whole.

    Parameters
    ----------
    store : str
        Of the collection; where it cannot be written, the files are temporary.
    """

    def __init__(self, store: str) -> None:
        self._store = store
        self._folder, self._temporary = _folder_of(store)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = False
        self.state = State(False, 0, 0, None)
        self.table = self._known()
        self._tables = [self.table]

    def catch_up(self, collection: Collection) -> None:
        """Start to find groups anew if the collection has others than the table."""
        with self._lock:
            running = self._thread is not None and self._thread.is_alive()
            if running or self._stop or self.table.fact("key") == _key(collection):
                return
            self.state = State(True, 0, 0, None)
            self._thread = threading.Thread(target=self._find, name="duplicates", daemon=True)
            self._thread.start()

    def decided(self, collection: Collection) -> None:
        """Note that what was just decided is in the table already."""
        if self.table.fact("key") is not None:
            self.table.note("key", _key(collection))

    def close(self) -> None:
        """End the thread, and remove what is temporary."""
        self._stop = True
        if self._thread is not None:
            self._thread.join(30)
        for table in self._tables:
            table.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _known(self) -> GroupTable:
        """Return the table that is whole, else an empty one."""
        tables = [GroupTable(os.path.join(self._folder, name)) for name in _NAMES]
        whole = [table for table in tables if table.fact("key") is not None]
        chosen = max(whole, key=lambda table: table.fact("key"), default=tables[0])
        for table in tables:
            if table is not chosen:
                table.close()
        return chosen

    def _find(self) -> None:
        try:
            with Collection.open(self._store) as collection:
                self._fill(collection)
        except Exception as error:
            # Told on the page, and tried again at the next change; never the end of the server.
            self.state = State(False, 0, 0, type(error).__name__)

    def _fill(self, collection: Collection) -> None:
        key = _key(collection)
        # Requests may hold the table before; none holds those before that one.
        for table in self._tables:
            if table is not self.table:
                table.close()
        name = next(one for one in _NAMES if not self.table.path.endswith(one))
        path = os.path.join(self._folder, name)
        with suppress(FileNotFoundError):
            os.remove(path)
        table = GroupTable(path)
        self._tables = [self.table, table]
        if self.table.fact("key") is None:
            # Shown as they are found: there is nothing older to show.
            self.table = table
        entries = self._entries(collection)
        while chunk := list(islice(entries, _AT_ONCE)):
            table.add(chunk)
            if self._stop:
                return
        table.note("key", key)
        self.table = table
        self.state = self.state._replace(finding=False)

    def _entries(self, collection: Collection) -> Iterator[Entry]:
        encoders = collection.encoders
        roots = [os.fsencode(root) for root in collection.roots]
        groups = find_duplicates(
            collection.catalogue,
            encoders.get(_ENCODER),
            Rules(),
            inner=encoders.get(_INNER) if _ENCODER in encoders else None,
            on_step=self._note_step,
        )
        for number, group in enumerate(groups, 1):
            yield entry_of(number, group, roots)

    def _note_step(self, done: int, total: int) -> None:
        self.state = State(True, done, total, None)
        if self._stop:
            raise InterruptedError


def entry_of(number: int, group: Group, roots: Iterable[bytes]) -> Entry:
    """Return a group as the page shows it."""
    saved = sum(member.place.size for member in group.members)
    body = {
        "keep": _place(group.keep, roots),
        "members": [{**_place(one.place, roots), **_said(one)} for one in group.members],
    }
    return Entry(number, saved, 1 + len(group.members), body)


def _place(place: Place, roots: Iterable[bytes]) -> dict[str, Any]:
    folder, name = shown_path(place.path, roots)
    return {
        "id": place.id,
        "name": name,
        "folder": folder,
        "format": place.format,
        "width": place.width,
        "height": place.height,
        "bytes": place.size,
    }


def _said(member: Member) -> dict[str, Any]:
    return {"tier": member.tier, "distance": member.distance, "transform": member.transform}


def _key(collection: Collection) -> list[Any]:
    """Return what the groups depend on: codes, encoders and decisions."""
    row = collection.catalogue.execute(
        "SELECT coalesce(max(id), 0), count(*) FROM decisions"
    ).fetchone()
    used = [row.id for name, row in collection.encoders.items() if name in (_ENCODER, _INNER)]
    return [*collection.catalogue.generation, sorted(used), *row]


def _folder_of(store: str) -> tuple[str, tempfile.TemporaryDirectory[str] | None]:
    try:
        folder = folder_in(store, "web")
        with tempfile.TemporaryFile(dir=folder):
            return folder, None
    except OSError:
        temporary = tempfile.TemporaryDirectory(prefix="hashret-")
        return temporary.name, temporary
