"""Removing duplicates from sight, so that nothing is ever lost.

================== =============================================================
``moving.py``      one file from place to place, never over another
``linking.py``     one file replaced by a hard link to its equal, and back
``journal.py``     what was done, or was about to be: the table ``operations``
``places.py``      a file as the catalogue has it, after it was moved
``quarantine.py``  the folders to which files go
``remover.py``     duplicates go: :func:`remove`
``recovery.py``    what a killed process was about to do is settled by looking
``undoing.py``     they come back: :func:`undo`
================== =============================================================

A row of the journal is on the disk before its file is touched, and names both places. Nothing is
deleted but one of two files that were just seen to be equal.
"""

from __future__ import annotations

from .journal import Batch, batches, reserve_batch
from .recovery import recover
from .remover import Copy, Duplicate, Removed, remove
from .undoing import Undone, undo

__all__ = [
    "Batch",
    "Copy",
    "Duplicate",
    "Removed",
    "Undone",
    "batches",
    "recover",
    "remove",
    "reserve_batch",
    "undo",
]
