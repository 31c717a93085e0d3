"""The journal: what was done to files, or was about to be."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from ..catalogue import Catalogue, roots_of

__all__ = ["Batch", "Journal", "Operation", "batches", "part_beside", "reserve_batch"]

# Kept with the settings: the last number that was given out before its batch began.
_RESERVED = "batch"
_COLUMNS = (
    "batch, unit, kind, state, root, path, target_root, target, content, "
    "file_state, file_reason, mode, mtime_ns, time_ns"
)


class Operation(NamedTuple):
    """A row of the journal.

    Attributes
    ----------
    id : int
    batch : int
        What one command did.
    unit : int
        Equal for a photograph and its companions: all of them go, or none.
    kind : {"quarantine", "hard link"}
    state : {"planned", "done", "undoing", "undone"}
    root, path : int, bytes
        Where the file was.
    target_root, target : int or None, bytes
        Where it is in the quarantine, or the file it is a link to. Relative to the store if there
        is no root.
    content : bytes or None
        None of a companion.
    file_state, file_reason : str or None
        Of its row in the catalogue, if it had one.
    mode, mtime_ns : int
        Of the file.
    time_ns : int
    """

    id: int
    batch: int
    unit: int
    kind: str
    state: str
    root: int
    path: bytes
    target_root: int | None
    target: bytes
    content: bytes | None
    file_state: str | None
    file_reason: str | None
    mode: int
    mtime_ns: int
    time_ns: int


class Batch(NamedTuple):
    """What one command did: how many files of it are away, and how many are back."""

    number: int
    time_ns: int
    kind: str
    away: int
    back: int


class Journal:
    """The journal of an open catalogue, and the places that its rows speak of."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.roots = {root.id: root.path for root in roots_of(catalogue)}
        self._store = os.path.realpath(os.fsencode(catalogue.store))

    def next_batch(self) -> int:
        """Return a number that no batch has, nor is to have."""
        query = (
            "SELECT max((SELECT coalesce(max(batch), 0) FROM operations), "
            "(SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM settings WHERE key = ?)) + 1"
        )
        return int(self.catalogue.execute(query, (_RESERVED,)).fetchone()[0])

    def last_unit(self, batch: int) -> int:
        """Return the last unit of a batch, 0 if it has none."""
        query = "SELECT coalesce(max(unit), 0) FROM operations WHERE batch = ?"
        return int(self.catalogue.execute(query, (batch,)).fetchone()[0])

    def plan(self, operations: Iterable[Operation]) -> list[Operation]:
        """Write down what is about to be done; it is on the disk when this returns."""
        written = []
        with self.catalogue.transaction():
            for one in operations:
                ((row,),) = self.catalogue.execute(
                    f"INSERT INTO operations ({_COLUMNS}) VALUES ({'?, ' * 13}?) RETURNING id",
                    one._replace(time_ns=time.time_ns())[1:],
                ).fetchall()
                written.append(one._replace(id=row))
        return written

    def set_state(self, operation: Operation, state: str) -> None:
        """Note what became of a file, inside a transaction."""
        self.catalogue.execute(
            "UPDATE operations SET state = ? WHERE id = ?", (state, operation.id)
        )

    def strike(self, operation: Operation) -> None:
        """Strike out what was planned and did not happen, inside a transaction."""
        self.catalogue.execute("DELETE FROM operations WHERE id = ?", (operation.id,))

    def rows(self, condition: str, *values: object) -> list[Operation]:
        """Return the rows that fulfil a condition, in their order."""
        query = f"SELECT id, {_COLUMNS} FROM operations WHERE {condition} ORDER BY id"
        return [Operation._make(row) for row in self.catalogue.execute(query, values)]

    def place(self, operation: Operation) -> bytes:
        """Return where the file was, or is."""
        return os.path.join(self.roots[operation.root], operation.path)

    def target(self, operation: Operation) -> bytes:
        """Return where it is in the quarantine, or the file that it is a link to."""
        above = self._store
        if operation.target_root is not None:
            above = self.roots[operation.target_root]
        return os.path.join(above, operation.target)


def part_beside(path: bytes, operation: Operation, kind: bytes = b"part") -> bytes:
    """Return a name beside a path that only this operation uses; no update sees it."""
    return os.path.join(os.path.dirname(path), b".hashret-%s-%d" % (kind, operation.id))


def reserve_batch(catalogue: Catalogue) -> int:
    """Return the number of a batch that no other command gets, whatever comes of it.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    """
    with catalogue.transaction():
        batch = Journal(catalogue).next_batch()
        row = (_RESERVED, json.dumps(batch))
        catalogue.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", row)
    return batch


def batches(catalogue: Catalogue) -> list[Batch]:
    """Return what can be undone, and what was, the latest last."""
    rows = catalogue.execute(
        "SELECT batch, min(time_ns), min(kind), sum(state != 'undone'), sum(state = 'undone') "
        "FROM operations GROUP BY batch ORDER BY batch"
    )
    return [Batch(*row) for row in rows]
