"""The ``hashret`` command: parses, calls the rest of the package, prints.

A file for each group of commands, and a line below that names it; what they do is none of theirs.
"""

from __future__ import annotations

from ..extras import import_extra

# Before anything that imports them, so that a missing one is named with its extra.
import_extra("typer", "cli")
import_extra("rich", "cli")

from .app import Commands, app  # noqa: E402

__all__ = ["app"]

# In the order of --help, which puts groups of several commands last: the command and its module,
# which is imported when the command runs, as a search takes less time than importing all of them.
Commands.modules = {
    "index": "index",
    "search": "search",
    "dedup": "dedup",
    "undo": "undo",
    "serve": "serve",
    "label": "label",
    "train": "train",
    "match": "match",
    "import": "import_",
    "export": "export",
    "verify": "verify",
    "cluster": "cluster",
    "info": "info",
    "demo": "demo",
    "benchmark": "benchmark",
    "eval": "evaluate",
    "reproduce": "reproduce",
}
