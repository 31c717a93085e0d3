"""A file as the catalogue has it, after it was moved or linked."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from ..catalogue import TICK_NS, Catalogue, signed
from ..catalogue.mounts import has_lasting_inodes
from ..content import digest
from .journal import Journal, Operation
from .moving import status_of

__all__ = ["file_row", "forget_file", "note_file"]


def file_row(catalogue: Catalogue, root: int, path: bytes) -> tuple[str | None, str | None]:
    """Return state and reason of a file, None if the catalogue has no such file."""
    row: tuple[str, str | None] | None = catalogue.execute(
        "SELECT state, reason FROM files WHERE root = ? AND path = ?", (root, path)
    ).fetchone()
    return (None, None) if row is None else row


def forget_file(catalogue: Catalogue, operation: Operation) -> None:
    """Drop the row of a file that is away, inside a transaction; its image stays."""
    catalogue.execute(
        "DELETE FROM files WHERE root = ? AND path = ?", (operation.root, operation.path)
    )


def note_file(journal: Journal, operation: Operation) -> None:
    """Write the row of a file that is back, or was linked, inside a transaction.

    There is none if its bytes are not those that the journal has, or are forgotten: then the next
    update looks at it.
    """
    place = journal.place(operation)
    status = status_of(place)
    forget_file(journal.catalogue, operation)
    if status is None or operation.file_state is None:
        return
    if operation.content is not None:
        with suppress(OSError):
            content, opened = digest(place)
            if content == operation.content and _known(journal.catalogue, content):
                _write(journal, operation, opened)
    elif operation.file_state != "present":
        _write(journal, operation, status)


def _known(catalogue: Catalogue, content: bytes) -> bool:
    query = "SELECT 1 FROM images WHERE content = ?"
    return catalogue.execute(query, (content,)).fetchone() is not None


def _write(journal: Journal, operation: Operation, status: os.stat_result) -> None:
    lasting = has_lasting_inodes(os.fsdecode(journal.roots[operation.root]))
    journal.catalogue.execute(
        "INSERT INTO files (root, path, state, reason, content, size, mtime_ns, ctime_ns, device, "
        "inode, racy, link) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        (
            operation.root,
            operation.path,
            operation.file_state,
            operation.file_reason,
            operation.content,
            signed(status.st_size),
            signed(status.st_mtime_ns),
            signed(status.st_ctime_ns),
            signed(status.st_dev),
            signed(status.st_ino) if lasting else 0,
            time.time_ns() - status.st_mtime_ns < TICK_NS,
        ),
    )
