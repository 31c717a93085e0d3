"""What runs in a :class:`.jobs.Job`."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

from .filling import fill_groups
from .mapping import make_map
from .thumbnails import make_thumbnails

__all__ = ["KINDS", "main"]

KINDS: dict[str, Callable[[str, str], None]] = {
    "groups": fill_groups,
    "map": make_map,
    "thumbnails": make_thumbnails,
}


def main() -> None:
    """Do the work that the command line names, unless the parent ends first."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(10)
    kind, store, argument = sys.argv[1:]
    KINDS[kind](store, argument)


def _end_with_parent() -> None:
    os.read(0, 1)
    os._exit(1)
