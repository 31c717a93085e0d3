"""Bringing one file back to its place."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from .journal import Journal, Operation, part_beside
from .linking import is_linked, unlink
from .moving import move, status_of
from .places import note_file
from .quarantine import drop_empty

__all__ = ["restore"]


def restore(journal: Journal, operation: Operation) -> str | None:
    """Bring a file back whose operation is done.

    Returns
    -------
    reason : str or None
        Why it stays as it is; None if it is back.
    """
    with journal.catalogue.transaction():
        journal.set_state(operation, "undoing")
    try:
        (_unlink if operation.kind == "hard link" else _bring)(journal, operation)
    except OSError as error:
        with journal.catalogue.transaction():
            journal.set_state(operation, "done")
        return error.strerror or str(error)
    with journal.catalogue.transaction():
        journal.set_state(operation, "undone")
        note_file(journal, operation)
    return None


def _bring(journal: Journal, operation: Operation) -> None:
    place, target = journal.place(operation), journal.target(operation)
    root = journal.roots[operation.root]
    if not os.path.isdir(root):
        raise OSError(errno.ENOENT, f"its root cannot be reached: {os.fsdecode(root)}")
    if status_of(target) is None:
        raise OSError(errno.ENOENT, f"not in the quarantine any more: {os.fsdecode(target)}")
    if os.path.lexists(place):
        raise OSError(
            errno.EEXIST, f"something else has its name now; it stays at {os.fsdecode(target)}"
        )
    os.makedirs(os.path.dirname(place), exist_ok=True)
    move(target, place, part_beside(place, operation))
    drop_empty(target)


def _unlink(journal: Journal, operation: Operation) -> None:
    place = journal.place(operation)
    status = status_of(place)
    if status is None:
        raise OSError(errno.ENOENT, "not there any more")
    if status.st_nlink > 1 or is_linked(place, journal.target(operation)):
        part = part_beside(place, operation)
        unlink(place, part, operation.content or b"", operation.mode, operation.mtime_ns)
    with suppress(OSError):
        os.unlink(part_beside(place, operation, b"old"))
