"""The ``hashret`` command: parses, calls the rest of the package, prints.

A file for each group of commands, and a line below that mounts it; what they do is none of theirs.
"""

from __future__ import annotations

from ..extras import import_extra

# Before anything that imports them, so that a missing one is named with its extra.
import_extra("typer", "cli")
import_extra("rich", "cli")

from . import (  # noqa: E402
    benchmark,
    dedup,
    demo,
    evaluate,
    export,
    import_,
    index,
    info,
    label,
    match,
    reproduce,
    search,
    serve,
    train,
    undo,
    verify,
)
from .app import app  # noqa: E402

__all__ = ["app"]

# In the order of --help, which puts groups of several commands last.
app.command()(index.index)
app.command()(search.search)
app.command()(dedup.dedup)
app.command()(undo.undo)
app.command()(serve.serve)
app.command()(label.label)
app.command()(train.train)
app.command()(match.match)
app.command("import")(import_.import_)
app.command()(export.export)
app.command()(verify.verify)
app.command()(info.info)
app.command()(demo.demo)
app.command()(benchmark.benchmark)
app.command("eval")(evaluate.evaluate)
app.add_typer(reproduce.group)
