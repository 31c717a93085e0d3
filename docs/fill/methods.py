"""The methods that can be compared and trained: from their classes' docstrings."""

from __future__ import annotations

import inspect
import re

from hashret import deep, encoders
from hashret.methods import METHODS, VARIANTS, Classic, Deep, Exact, Method

__all__ = ["method", "methods"]


def methods(which: str) -> str:
    """Return a table of the methods, or of the variants."""
    entries = {"methods": METHODS, "variants": VARIANTS}[which]
    rows = [f"| `{name}` | {one.title} | {_learns(one)} |" for name, one in entries.items()]
    return "\n".join(["| name | method | learns from |", "|---|---|---|", *rows])


def method(name: str) -> str:
    """Return what a method does, and its source."""
    one = METHODS[name]
    assert not isinstance(one, Exact), "exact neighbours have no class"
    where = _class(one)
    module = "hashret.encoders" if isinstance(one, Classic) else "hashret.deep.losses"
    told, references = _parts(inspect.getdoc(where) or "")
    options = ", ".join(f"``{key}={value!r}``" for key, value in one.options.items())
    link = f":class:`{module}.{where.__name__}`" + (f" with {options}" if options else "")
    return "\n\n".join(["```{eval-rst}", told, references, f"In Python: {link}.", "```"])


def _parts(docstring: str) -> tuple[str, str]:
    """Return what stands before the first section, and the text of References."""
    pieces = re.split(r"^(\w+)\n-{3,}\n", docstring, flags=re.MULTILINE)
    sections = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    return pieces[0].strip(), sections.get("References", "").strip()


def _class(one: Method) -> type:
    if isinstance(one, Classic):
        found: type = getattr(encoders, one.encoder)
        return found
    assert isinstance(one, Deep)
    return type(deep.make_loss(one.loss, **one.options))


def _learns(one: Method) -> str:
    if isinstance(one, Deep):
        names = {"features": "vectors", "both": "labels and vectors", "nothing": "images alone"}
        target = one.make(one.options).target
        return str(names.get(target, target))
    return "vectors" if isinstance(one, Classic) else "nothing: a control"
