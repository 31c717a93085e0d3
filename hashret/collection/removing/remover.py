"""Duplicates go to the quarantine, or become hard links."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from ...errors import ParameterError
from ...images.reading import companions
from ..catalogue import Catalogue
from ..content import digest
from .journal import Journal, Operation, part_beside
from .linking import link
from .moving import move, status_of
from .places import file_row, forget_file, note_file
from .quarantine import Quarantine, drop_empty
from .recovery import recover

__all__ = ["Copy", "Duplicate", "Removed", "remove"]

# As many share the two transactions before and after.
_AT_ONCE = 64


class Copy(NamedTuple):
    """A file and what it should hold; the path is absolute."""

    root: int
    path: bytes
    content: bytes


class Duplicate(NamedTuple):
    """A file that is to go, and the one that stays for it."""

    keeper: Copy
    member: Copy


@dataclass
class Removed:
    """What went, and what did not.

    Attributes
    ----------
    batch : int
        For :func:`undo`.
    files : int
        That went, companions too.
    size : int
        Bytes that they have.
    left : list of (bytes, str)
        Files that are as they were, and why.
    """

    batch: int
    files: int = 0
    size: int = 0
    left: list[tuple[bytes, str]] = field(default_factory=list)


class _LeftError(Exception):
    """A file is to stay as it is; says why."""


def remove(
    catalogue: Catalogue,
    duplicates: Iterable[Duplicate],
    *,
    hardlink: bool = False,
    batch: int | None = None,
    on_batch: Callable[[Removed], object] | None = None,
) -> Removed:
    """Move duplicates with their companions to the quarantine, or make them hard links.

    Each file and the one that stays for it are hashed just before; if either is not what it was,
    the file stays. So does one that is the same file as its keeper by another path, and one that
    stays for another.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    duplicates : iterable of Duplicate
    hardlink : bool
        Replace them by hard links to their keepers; only where both hold the same bytes.
    batch : int, optional
        That these belong to; by default a new one.
    on_batch : callable, optional
        Given the report so far, after some files.

    Returns
    -------
    removed : Removed

    Raises
    ------
    OSError, sqlite3.Error
        If the journal cannot be written, as on a full disk; nothing is moved that it does not
        have.
    """
    recover(catalogue)
    remover = _Remover(Journal(catalogue), hardlink, batch)
    source = iter(duplicates)
    while chunk := list(islice(source, _AT_ONCE)):
        remover.remove(chunk)
        if on_batch is not None:
            on_batch(remover.removed)
    return remover.removed


class _Remover:
    def __init__(self, journal: Journal, hardlink: bool, batch: int | None) -> None:
        self._journal = journal
        self._hardlink = hardlink
        self.removed = Removed(journal.next_batch() if batch is None else batch)
        self._quarantine = Quarantine(journal, self.removed.batch)
        self._keepers: set[tuple[int, int]] = set()
        self._members: set[tuple[int, int]] = set()
        self._known_keeper: tuple[Copy, tuple[int, ...]] | None = None
        self._links = _link_targets(journal)
        self._unit = journal.last_unit(self.removed.batch)

    def remove(self, duplicates: list[Duplicate]) -> None:
        """Plan some, write the plan down, and do it."""
        self._known_keeper = None
        units: list[tuple[Duplicate, list[Operation]]] = []
        for one in duplicates:
            try:
                units.append((one, self._planned(one)))
            except (_LeftError, OSError) as error:
                self.removed.left.append((one.member.path, _told(error)))
        rows = iter(self._journal.plan(row for _, unit in units for row in unit))
        for duplicate, unit in units:
            self._do(duplicate, [next(rows) for _ in unit])

    def _planned(self, one: Duplicate) -> list[Operation]:
        keeper, member = self._checked_keeper(one.keeper), _checked(one.member)
        if _identity(keeper) in self._members:
            raise _LeftError("what it is to be kept for goes itself")
        self._keepers.add(_identity(keeper))
        if _identity(member) in self._keepers:
            same = _identity(member) == _identity(keeper)
            raise _LeftError("the same file as its keeper" if same else "is kept for another")
        if os.path.realpath(one.member.path) in self._links:
            raise _LeftError("a symbolic link leads to it")
        self._check_folder(one.member)
        self._members.add(_identity(member))
        self._unit += 1
        if self._hardlink:
            if one.keeper.content != one.member.content:
                raise ParameterError("hardlink: expected files of the same bytes")
            if keeper.st_dev != member.st_dev:
                raise _LeftError("on another file system than its keeper")
            kept = (one.keeper.root, self._relative(one.keeper))
            return [self._operation(one.member, one.member.path, member, kept)]
        paths = [*_companions_of(one.member.path), one.member.path]
        return [
            self._operation(one.member, path, status)
            for path in paths
            if (status := status_of(path)) is not None
        ]

    def _checked_keeper(self, keeper: Copy) -> os.stat_result:
        """Hash the file that stays, once for those of its members that go together."""
        known = self._known_keeper
        status = status_of(keeper.path)
        if known is None or status is None or known != (keeper, _numbers(status)):
            status = _checked(keeper)
        self._known_keeper = keeper, _numbers(status)
        return status

    def _operation(
        self,
        member: Copy,
        path: bytes,
        status: os.stat_result,
        kept: tuple[int | None, bytes] | None = None,
    ) -> Operation:
        relative = self._relative(member._replace(path=path))
        state, reason = file_row(self._journal.catalogue, member.root, relative)
        place = kept or self._quarantine.target(member.root, relative)
        return Operation(
            id=0,
            batch=self.removed.batch,
            unit=self._unit,
            kind="quarantine" if kept is None else "hard link",
            state="planned",
            root=member.root,
            path=relative,
            target_root=place[0],
            target=place[1],
            content=member.content if path == member.path else None,
            file_state=state,
            file_reason=reason,
            mode=status.st_mode,
            mtime_ns=status.st_mtime_ns,
            time_ns=0,
        )

    def _do(self, duplicate: Duplicate, unit: list[Operation]) -> None:
        """Do what was planned of one photograph, all of it or nothing, and note it."""
        done: list[Operation] = []
        size = 0
        try:
            for row in unit:
                size += os.lstat(self._journal.place(row)).st_size
                (self._link if self._hardlink else self._move)(row)
                done.append(row)
            # Two paths may lead to one file in ways that nothing tells.
            if not self._hardlink and status_of(duplicate.keeper.path) is None:
                raise _LeftError("the same file as its keeper")
        except (_LeftError, OSError) as error:
            self.removed.left.append((duplicate.member.path, _told(error)))
            self._take_back(done)
            with self._journal.catalogue.transaction():
                for row in unit:
                    self._journal.strike(row)
            return
        with self._journal.catalogue.transaction():
            for row in unit:
                self._journal.set_state(row, "done")
                if self._hardlink:
                    note_file(self._journal, row)
                else:
                    forget_file(self._journal.catalogue, row)
        self.removed.files += len(unit)
        self.removed.size += size

    def _take_back(self, done: list[Operation]) -> None:
        for row in reversed(done):
            place, target = self._journal.place(row), self._journal.target(row)
            move(target, place, part_beside(place, row))
            drop_empty(target)

    def _move(self, row: Operation) -> None:
        place, target = self._journal.place(row), self._journal.target(row)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        move(place, target, part_beside(target, row))

    def _link(self, row: Operation) -> None:
        place = self._journal.place(row)
        part, old = part_beside(place, row), part_beside(place, row, b"old")
        link(place, self._journal.target(row), part, old, row.content or b"")

    def _relative(self, copy: Copy) -> bytes:
        return os.path.relpath(copy.path, self._journal.roots[copy.root])

    def _check_folder(self, member: Copy) -> None:
        """See that no folder on the way has become a link to elsewhere."""
        root = self._journal.roots[member.root]
        folder = os.path.dirname(self._relative(member))
        wanted = os.path.normpath(os.path.join(os.path.realpath(root), folder))
        if os.path.realpath(os.path.dirname(member.path)) != wanted:
            raise _LeftError("its folder is a link now")


def _checked(copy: Copy) -> os.stat_result:
    """Look at a file and hash it; it must be what it was."""
    status = status_of(copy.path)
    name = os.fsdecode(copy.path)
    if status is None:
        raise _LeftError(f"no file is there any more: {name}")
    content, opened = digest(copy.path)
    if content != copy.content or not os.path.samestat(status, opened):
        raise _LeftError(f"has changed since: {name}")
    return status


def _companions_of(path: bytes) -> Iterator[bytes]:
    folder, name = os.path.split(path)
    for other in companions(os.listdir(folder)).get(name, ()):
        yield os.path.join(folder, other)


def _link_targets(journal: Journal) -> set[bytes]:
    """Return the files to which symbolic links of the collection lead."""
    rows = journal.catalogue.execute("SELECT root, path FROM files WHERE link")
    return {os.path.realpath(os.path.join(journal.roots[root], path)) for root, path in rows}


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _numbers(status: os.stat_result) -> tuple[int, ...]:
    return (*_identity(status), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _told(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
