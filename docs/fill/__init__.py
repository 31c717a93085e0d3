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

    def read(app: Any, page: str, source: list[str]) -> None:
        source[0] = inward(filled(source[0]), page)

    def plain(app: Any, what: str, name: str, *rest: Any) -> None:
        # As Python says of each field of a named tuple.
        if "Alias for field number" in "".join(rest[-1]):
            rest[-1].clear()

    app.setup_extension("sphinx.ext.autodoc")
    def outdated(app: Any, env: Any, *rest: Any) -> list[str]:
        # The code may have changed since they were read.
        pages = [(page, Path(env.doc2path(page))) for page in env.found_docs]
        return [page for page, file in pages if _PLACE.search(file.read_text(encoding="utf-8"))]

    connect(app)
    app.connect("env-get-outdated", outdated)
    app.connect("source-read", read)
    app.connect("autodoc-process-docstring", plain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
