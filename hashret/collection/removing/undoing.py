"""Undoing: files come back from the quarantine, and links become files again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...errors import ParameterError
from ..catalogue import Catalogue
from .journal import Journal, batches
from .recovery import recover
from .restoring import restore

__all__ = ["Undone", "undo"]


@dataclass
class Undone:
    """What came back, and what did not.

    Attributes
    ----------
    batch : int or None
        None if there was nothing to undo.
    back : int
        Files.
    left : list of (bytes, str)
        Where a file was, and why it is not there again.
    """

    batch: int | None = None
    back: int = 0
    left: list[tuple[bytes, str]] = field(default_factory=list)


def undo(
    catalogue: Catalogue,
    batch: int | None = None,
    *,
    on_file: Callable[[Undone], object] | None = None,
) -> Undone:
    """Bring back what a batch took away.

    A file whose place is taken stays in the quarantine. It may be interrupted and called again at
    any time: what is back is back.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    batch : int, optional
        By default the last that has something to bring back.
    on_file : callable, optional
        Given the report so far after each file.

    Raises
    ------
    ParameterError
        If there is no such batch.
    """
    recover(catalogue)
    known = {one.number: one for one in batches(catalogue)}
    if batch is not None and batch not in known:
        numbers = ", ".join(map(str, known)) or "none yet"
        raise ParameterError(f"batch: expected one of {numbers}, got {batch}")
    if batch is None:
        batch = max((one.number for one in known.values() if one.away), default=None)
    undone = Undone(batch)
    journal = Journal(catalogue)
    # The last first, so that a photograph is back before its companions.
    for operation in reversed(journal.rows("batch = ? AND state = 'done'", batch)):
        reason = restore(journal, operation)
        if reason is None:
            undone.back += 1
        else:
            undone.left.append((journal.place(operation), reason))
        if on_file is not None:
            on_file(undone)
    return undone
