"""Many groups decided on at once: in the background, with progress, and gone on with if cut off."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Literal, NamedTuple, get_args

from ..collection import Collection
from ..collection.duplicates import decide_each, withdraw
from ..collection.removing import Removed, Undone, batches, recover, remove, reserve_batch, undo
from ..errors import HashretError, LockedError
from ..files import write_bytes
from .clearing import Clearing, reason_of
from .finding import GroupFinder
from .groups import Choice, Cursor, Entry, GroupTable
from .library import Library

__all__ = ["BULK_KINDS", "Bulk", "BulkKind", "Seen", "Task"]

BulkKind = Literal["keep", "not duplicates", "quarantine"]
BULK_KINDS: tuple[BulkKind, ...] = get_args(BulkKind)

_NAME = "bulk.json"
# Groups that one transaction decides on, and that are moved before it is looked whether to go on.
_AT_ONCE = {"keep": 500, "not duplicates": 500, "quarantine": 20}
_OTHERS = "there are other groups than those that were shown; look at them first"
# Seconds until it is looked again whether groups are found, and the collection is free.
_PAUSE = 0.3


@dataclass
class Task:
    """What is done with many groups, and how far it is.

    Attributes
    ----------
    kind : {"keep", "not duplicates", "quarantine"}
    tier, folder : str or None
        As in :class:`Choice`.
    state : {"running", "done", "stopped", "failed", "taken back"}
    mark : int
        Under which groups are closed: the time of decisions in nanoseconds, or less than zero the
        number of a batch in the quarantine.
    generation : list of int
        Of the collection that it was asked for.
    total, done : int
        Groups, of those that were open at the start; one of which a file was left is not done.
    files : int
        That went to the quarantine, or came back.
    left : int
        Files that did not.
    undoing : bool
        Whether it is being taken back.
    reason : str or None
        Why it stopped or failed, or a file was left.
    """

    kind: BulkKind
    tier: str | None
    folder: str | None
    mark: int
    generation: list[int]
    total: int
    state: str = "running"
    done: int = 0
    files: int = 0
    left: int = 0
    undoing: bool = False
    reason: str | None = None

    @property
    def choice(self) -> Choice:
        """Which groups it is about."""
        return Choice(self.tier, self.folder)


class Seen(NamedTuple):
    """The groups that were looked at: as which they were found, and how many were open.

    What is None may be any.
    """

    generation: str | None = None
    open: int | None = None

    def is_still(self, table: GroupTable, choice: Choice) -> bool:
        """Return whether the groups of a choice are these."""
        return self.generation in (None, table.fact("generation")) and (
            self.open in (None, table.counts(choice)[0])
        )


class _Stopped(Exception):
    """It goes no further; says why."""


class Bulk:
    """Runs one task at a time, in a thread; one that was cut off goes on at the next start.

    Nothing but the mark has to be remembered for that: groups that are done with are closed.

    Parameters
    ----------
    library : Library
    finder : GroupFinder
    """

    def __init__(self, library: Library, finder: GroupFinder) -> None:
        self._library, self._finder = library, finder
        self._path = os.path.join(finder.folder, _NAME)
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._stopping = False
        self._seen = Seen()
        self._thread: threading.Thread | None = None
        self.task = self._known()
        if self.running:
            self._launch()

    @property
    def running(self) -> bool:
        """Whether there is a task that is not at its end."""
        return self.task is not None and self.task.state == "running"

    def start(self, kind: BulkKind, choice: Choice, seen: Seen | None = None) -> Task:
        """Begin with all open groups of a choice.

        Parameters
        ----------
        kind : {"keep", "not duplicates", "quarantine"}
        choice : Choice
        seen : Seen, optional
            What it was asked for; by default there may be others by now.

        Raises
        ------
        HashretError
            If another one runs, or the groups are others than those that were seen.
        """
        with self._lock, self._library.reader() as collection:
            self._check_free()
            self._seen = seen or Seen()
            others = self._seen != Seen() and self._finder.catch_up(collection).finding
            table = self._finder.table
            if others or not self._seen.is_still(table, choice):
                raise HashretError(_OTHERS)
            self.task = Task(
                kind,
                choice.tier,
                choice.folder,
                self._mark(kind),
                [*collection.catalogue.generation],
                table.counts(choice)[0],
            )
            self._launch()
            return self.task

    def take_back(self) -> Task:
        """Begin to undo the last task, whether it came to its end or not.

        Raises
        ------
        HashretError
            If there is none, or one runs.
        """
        with self._lock:
            self._check_free()
            if self.task is None or self.task.state == "taken back":
                raise HashretError("there is nothing to take back")
            task, self._seen = self.task, Seen()
            task.state, task.undoing, task.reason = "running", True, None
            task.total, task.done, task.files, task.left = task.done, 0, 0, 0
            self._launch()
            return task

    def stop(self) -> None:
        """Let the task go no further; what is done stays done."""
        self._stopping = True

    def close(self) -> None:
        """End the thread; the task goes on at the next start."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def _check_free(self) -> None:
        if self.running:
            raise HashretError("many groups are being decided on already")

    def _mark(self, kind: BulkKind) -> int:
        if kind != "quarantine":
            return time.time_ns()
        with self._library.writer() as collection:
            return -reserve_batch(collection.catalogue)

    def _known(self) -> Task | None:
        with suppress(OSError, ValueError, TypeError), open(self._path, encoding="utf-8") as file:
            return Task(**json.load(file))
        return None

    def _keep(self) -> None:
        assert self.task is not None
        write_bytes(self._path, json.dumps(asdict(self.task)).encode())

    def _launch(self) -> None:
        self._stopping = False
        self._keep()
        self._thread = threading.Thread(target=self._run, name="bulk", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        assert self.task is not None
        task = self.task
        try:
            while not self._end.is_set() and not self._turn(task):
                self._end.wait(_PAUSE)
            if self._end.is_set():
                return
            task.state = "taken back" if task.undoing else "done"
        except _Stopped as stopped:
            task.state, task.reason = "stopped", str(stopped)
        except Exception as error:
            task.state, task.reason = "failed", str(error)
        with suppress(OSError):
            self._keep()

    def _turn(self, task: Task) -> bool:
        """Do all of it, if that is possible now; return whether it is done."""
        self._check_wanted()
        try:
            with self._library.writer() as collection:
                if not task.undoing:
                    if [*collection.catalogue.generation] != task.generation:
                        raise _Stopped("the collection has changed since")
                    state = self._finder.catch_up(collection)
                    if state.error is not None:
                        raise HashretError(f"groups: {state.error}")
                    if state.finding:
                        return False
                    if not self._seen.is_still(self._finder.table, task.choice):
                        raise _Stopped(_OTHERS)
                with self._finder.changing(collection) as table:
                    (self._undo if task.undoing else self._do)(task, collection, table)
        except LockedError:
            return False
        self._check_wanted()
        return not self._end.is_set()

    def _check_wanted(self) -> None:
        if self._stopping:
            raise _Stopped("it was stopped")

    def _do(self, task: Task, collection: Collection, table: GroupTable) -> None:
        # Groups that were done with before it was cut off are not open any more.
        task.done = max(task.done, task.total - table.counts(task.choice)[0])
        if task.kind == "quarantine":
            self._clear(task, collection, table)
            return
        for entries in self._pages(task, table):
            fit = [one for one in entries if task.kind == "keep" or len(one.images) > 1]
            groups = [one.images for one in fit]
            decide_each(collection.catalogue, task.kind, groups, task.mark)
            table.close_groups([one.number for one in fit], task.mark)
            task.done = min(task.total, task.done + len(entries))

    def _clear(self, task: Task, collection: Collection, table: GroupTable) -> None:
        files, left = task.files, task.left
        clearing = Clearing(collection)

        def tell(removed: Removed) -> None:
            task.files, task.left = files + removed.files, left + len(removed.left)
            cleared = clearing.cleared(removed)
            table.close_groups(cleared, task.mark)
            task.done = min(task.total, task.done + len(cleared))

        entries = chain.from_iterable(self._pages(task, table))
        wanted = clearing.duplicates(entries)
        removed = remove(collection.catalogue, wanted, batch=-task.mark, on_batch=tell)
        tell(removed)
        task.reason = reason_of(collection, removed.left)
        if clearing.torn:
            table.outdate()

    def _pages(self, task: Task, table: GroupTable) -> Iterator[list[Entry]]:
        """Yield open groups by pages, until it is to end."""
        after: Cursor | None = None
        while entries := table.page(_AT_ONCE[task.kind], after, task.choice):
            if self._end.is_set() or self._stopping:
                return
            yield entries
            after = entries[-1].saved, entries[-1].number

    def _undo(self, task: Task, collection: Collection, table: GroupTable) -> None:
        if task.kind == "quarantine":
            self._bring_back(task, collection)
            count = task.total
        else:
            count = withdraw(collection.catalogue, task.mark)
        table.reopen(task.mark, count)
        if task.left or (task.files and not task.total):
            # Groups that lack files, or got some that went out of an open one.
            table.outdate()
        task.done = task.total

    def _bring_back(self, task: Task, collection: Collection) -> None:
        def tell(undone: Undone) -> None:
            task.files, task.left = undone.back, len(undone.left)

        recover(collection.catalogue)
        if all(one.number != -task.mark for one in batches(collection.catalogue)):
            task.reason = "nothing was moved"
            return
        undone = undo(collection.catalogue, -task.mark, on_file=tell)
        task.reason = reason_of(collection, undone.left)
