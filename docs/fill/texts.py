"""A text of the repository that is no page of docs/."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["text"]

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"(?<=\]\()([\w./-]+)(?=[)#])")


def text(path: str) -> str:
    """Return a text; its links are from the top of docs/."""
    file = ROOT / path

    def lead(link: re.Match[str]) -> str:
        linked = os.path.normpath(file.parent.relative_to(ROOT) / link[1])
        return "/" + os.path.relpath(linked, "docs") if (ROOT / linked).exists() else link[1]

    return _LINK.sub(lead, file.read_text(encoding="utf-8"))
