"""What a process that ended was about to do is settled by looking where its files are."""

from __future__ import annotations

import os

from ..catalogue import Catalogue
from ..content import digest
from .journal import Journal, Operation, part_beside
from .linking import settle_link
from .moving import status_of
from .places import forget_file, note_file
from .restoring import restore

__all__ = ["recover"]


def recover(catalogue: Catalogue) -> int:
    """Settle the operations of which it is not known whether they happened.

    Each is looked at; what it left half done is cleaned up. A photograph of which only some
    companions had gone gets them back. What cannot be reached stays for the next time.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.

    Returns
    -------
    count : int
        How many were settled.
    """
    journal = Journal(catalogue)
    open_ones = journal.rows("state IN ('planned', 'undoing')")
    settled = [one for one in open_ones if _settle(journal, one)]
    planned = {(one.batch, one.unit) for one in settled if one.state == "planned"}
    for batch, unit in planned:
        rows = journal.rows("batch = ? AND unit = ?", batch, unit)
        # The photograph itself goes last.
        if rows and all(row.content is None for row in rows):
            for row in rows:
                restore(journal, row)
    return len(settled)


def _settle(journal: Journal, one: Operation) -> bool:
    try:
        away = _is_linked(journal, one) if one.kind == "hard link" else _is_away(journal, one)
    except OSError:
        return False
    if away is None:
        return False
    with journal.catalogue.transaction():
        if away:
            journal.set_state(one, "done")
            if one.kind == "hard link":
                note_file(journal, one)
            else:
                forget_file(journal.catalogue, one)
        elif one.state == "planned":
            journal.strike(one)
        else:
            journal.set_state(one, "undone")
            note_file(journal, one)
    return True


def _is_linked(journal: Journal, one: Operation) -> bool | None:
    place, keeper = journal.place(one), journal.target(one)
    if status_of(place) is None:
        return None
    part, old = part_beside(place, one), part_beside(place, one, b"old")
    return settle_link(place, keeper, part, old, one.content or b"")


def _is_away(journal: Journal, one: Operation) -> bool | None:
    """Return whether a file is in the quarantine; None if it is not to be seen anywhere.

    If it is in both places, the one in the quarantine goes.
    """
    place, target = journal.place(one), journal.target(one)
    for path in (place, target):
        part = part_beside(path, one)
        if status_of(part) is not None:
            os.unlink(part)
    here, there = status_of(place), status_of(target)
    if there is None:
        return None if here is None else False
    if here is not None and (os.path.samestat(here, there) or _equal(place, target)):
        os.unlink(target)
        return False
    return True


def _equal(one: bytes, other: bytes) -> bool:
    return digest(one)[0] == digest(other)[0]
