"""What pages of the manual say that the code knows better: made when the manual is built.

A page has ``<!-- fill: KIND ARGUMENTS -->`` on a line of its own; Markdown takes its place, from
the function of that kind in `FILLINGS`. So a page reads well where it is not built, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .commands import command, commands
from .formulas import connect
from .links import inward
from .methods import method, methods
from .modules import module
from .schema import table
from .texts import text

__all__ = ["FILLINGS", "setup"]

FILLINGS: dict[str, Callable[..., str]] = {
    "command": command,
    "commands": commands,
    "method": method,
    "methods": methods,
    "module": module,
    "table": table,
    "text": text,
}
_PLACE = re.compile(r"^<!-- fill: (\w+)((?: \S+)*) -->$", re.MULTILINE)


def filled(source: str) -> str:
    """Return a page with what belongs into its places."""
    return _PLACE.sub(lambda place: FILLINGS[place[1]](*place[2].split()), source)


def setup(app: Any) -> dict[str, bool]:
    """Fill each page as Sphinx reads it."""
    app.setup_extension("sphinx.ext.autodoc")
    connect(app)
    app.connect("env-get-outdated", _outdated)
    app.connect("source-read", _read)
    # After napoleon, whose priority is 500.
    app.connect("autodoc-process-docstring", _tidied, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _outdated(app: Any, env: Any, *rest: Any) -> list[str]:
    """Return the pages with places to fill: the code may have changed since they were read."""
    pages = [(page, Path(env.doc2path(page))) for page in env.found_docs]
    return [page for page, file in pages if _PLACE.search(file.read_text(encoding="utf-8"))]


def _read(app: Any, page: str, source: list[str]) -> None:
    source[0] = inward(filled(source[0]), page)


def _tidied(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Drop what Python says of each field of a named tuple; set a dash behind each parameter."""
    if any("Alias for field number" in line for line in lines):
        lines.clear()
    lines[:] = [re.sub(r"(?<=[)*]) -- ", " – ", line) for line in lines]
