"""The ``hashret`` command: parses, calls :mod:`hashret.experiments`, prints.

A file for each group of commands, and a line below that mounts it; what they do is none of theirs.
"""

from __future__ import annotations

from ..extras import import_extra

# Before anything that imports them, so that a missing one is named with its extra.
import_extra("typer", "cli")
import_extra("rich", "cli")

from . import benchmark, demo, evaluate, info, reproduce  # noqa: E402
from .app import app  # noqa: E402

__all__ = ["app"]

# In the order of --help, which puts groups of several commands last.
app.command()(demo.demo)
app.command()(benchmark.benchmark)
app.command("eval")(evaluate.evaluate)
app.command()(info.info)
app.add_typer(reproduce.group)
