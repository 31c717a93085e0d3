"""Links to files beside docs/, which have a page of the manual."""

from __future__ import annotations

import os
import re

__all__ = ["PAGES", "inward"]

# By the path from the top of the repository.
PAGES = {
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "README.md": "index",
    "csrc/FORMAT.md": "reference/index-file",
    "csrc/README.md": "engine",
    "tests/fuzz/README.md": "fuzzing",
}
_LINK = re.compile(r"(?<=\]\()([\w./-]+\.md)(?=[)#])")


def inward(source: str, page: str) -> str:
    """Return a page of docs/ whose links to those files lead to their pages."""

    def lead(link: re.Match[str]) -> str:
        # One that begins with a slash is from the top of docs/.
        folder = "docs" if link[1].startswith("/") else os.path.join("docs", os.path.dirname(page))
        path = os.path.normpath(os.path.join(folder, link[1].lstrip("/")))
        return f"/{PAGES[path]}.md" if path in PAGES else link[1]

    return _LINK.sub(lead, source)
