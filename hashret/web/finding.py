"""The table of groups, kept up with the collection by a process in the background."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from ..collection import Collection
from ..collection.store import folder_in
from .filling import groups_among, key_of
from .groups import GroupTable
from .jobs import Job

__all__ = ["GroupFinder", "State"]

_NAMES = ("groups-0.sqlite", "groups-1.sqlite")


class State(NamedTuple):
    """How far finding is: done of so many images; why it failed, if it did."""

    finding: bool
    done: int
    total: int
    error: str | None


class GroupFinder:
    """Has duplicates found as they are asked for, after changes.

    There are two files: one is filled while the other answers, until it is whole.

    Parameters
    ----------
    store : str
        Of the collection; where it cannot be written, the files are temporary.

    Attributes
    ----------
    folder : str
        Where its files are.
    table : GroupTable
    """

    def __init__(self, store: str) -> None:
        self._store = store
        self.folder, self._temporary = _folder_of(store)
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._failed: tuple[list[Any], str] | None = None
        self._next: GroupTable | None = None
        self._changing = 0
        self.table = self._known()
        self._before: GroupTable | None = None

    def catch_up(self, collection: Collection) -> State:
        """Return how far finding is; start it if the collection has others than the table."""
        with self._lock:
            if self._changing:
                return State(False, 0, 0, None)
            key = key_of(collection)
            self._end_job(key)
            if self._job is None:
                if self._failed is not None and self._failed[0] == key:
                    return State(False, 0, 0, self._failed[1])
                if self.table.fact("key") == key:
                    return State(False, 0, 0, None)
                self._start()
            assert self._next is not None
            done, total = self._next.fact("progress") or (0, 0)
            return State(True, done, total, None)

    @contextmanager
    def changing(self, collection: Collection) -> Iterator[GroupTable]:
        """Let the block change the collection, and the table as well, which is up to date then.

        A table that was not before, or in which the block found something lacking, is not
        afterwards; nor is one of which the block did not come to its end.
        """
        with self._lock:
            before = self.table.fact("key")
            fresh = before == key_of(collection)
            self._changing += 1
        ended = False
        try:
            yield self.table
            ended = True
        finally:
            with self._lock:
                self._changing -= 1
                if ended and fresh and self.table.fact("key") == before:
                    self.table.note("key", key_of(collection))

    def regroup(self, collection: Collection, group: int | None, images: list[int]) -> None:
        """Make a group anew after one of its images was preferred; all, if it is not known which.

        Inside of :meth:`changing`.
        """
        # Should this fail: the decision is made, and the table does not know of it.
        before = self.table.fact("key")
        self.table.outdate()
        if group is not None:
            self.table.replace(group, groups_among(collection, images, group))
            self.table.note("key", before)

    def close(self) -> None:
        """End the process, and remove what is temporary."""
        with self._lock:
            if self._job is not None:
                self._job.end()
            for table in (self.table, self._before, self._next):
                if table is not None:
                    table.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _known(self) -> GroupTable:
        """Return the table that is whole, else an empty one."""
        tables = [GroupTable(os.path.join(self.folder, name)) for name in _NAMES]
        whole = [table for table in tables if table.fact("key") is not None]
        chosen = max(whole, key=lambda table: table.fact("key"), default=tables[0])
        for table in tables:
            if table is not chosen:
                table.close()
        return chosen

    def _start(self) -> None:
        # Requests may hold the table before this one; none holds that before it.
        if self._before is not None:
            self._before.close()
        self._before = None
        name = next(one for one in _NAMES if not self.table.path.endswith(one))
        path = os.path.join(self.folder, name)
        with suppress(FileNotFoundError):
            os.remove(path)
        self._next = GroupTable(path)
        if self.table.fact("key") is None:
            # Shown as they are found: there is nothing older to show.
            self._before, self.table = self.table, self._next
        self._job = Job("groups", self._store, path)

    def _end_job(self, key: list[Any]) -> None:
        """Take over what the process has made, if it has ended."""
        if self._job is None or self._job.status is None:
            return
        assert self._next is not None
        if self._job.status:
            self._failed = key, f"its process ended with {self._job.status}"
        elif self.table is not self._next:
            self._before, self.table = self.table, self._next
        self._job = None


def _folder_of(store: str) -> tuple[str, tempfile.TemporaryDirectory[str] | None]:
    try:
        folder = folder_in(store, "web")
        with tempfile.TemporaryFile(dir=folder):
            return folder, None
    except OSError:
        temporary = tempfile.TemporaryDirectory(prefix="hashret-")
        return temporary.name, temporary
