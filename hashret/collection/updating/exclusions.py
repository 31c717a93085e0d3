"""Which names of a folder do not belong to a collection."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from ...extras import import_extra

__all__ = ["Exclusions"]

# What systems, servers and programs put beside a person's files, in whatever case.
_SYSTEM = re.compile(
    rb"@eadir|#recycle|#snapshot|\$recycle\.bin|\.trash.*|\.hashret.*|__macosx|desktop\.ini|"
    rb"found\.000|lost\+found|recycler|system volume information|thumbs\.db",
    re.DOTALL | re.IGNORECASE,
)


class Exclusions:
    """Which names are left out.

    Parameters
    ----------
    globs : sequence of str
        As in a ``.gitignore`` at the root of the collection; the later one holds, ``!`` takes back.
    hidden : bool
        Whether names that start with a dot belong to the collection.

    Examples
    --------
    >>> exclusions = Exclusions(["*.tmp", "!keep.tmp", "/drafts/"])
    >>> [exclusions.excludes(path, False) for path in (b"a/b.tmp", b"keep.tmp", b".x", b"@eaDir")]
    [True, False, True, True]
    >>> exclusions.excludes(b"drafts", True), exclusions.excludes(b"old/drafts", True)
    (True, False)
    """

    def __init__(self, globs: Sequence[str] = (), *, hidden: bool = False) -> None:
        self._hidden = hidden
        self._spec: Any = None
        if globs:
            pathspec: Any = import_extra("pathspec", "collection")
            self._spec = pathspec.GitIgnoreSpec.from_lines(globs)

    def excludes(self, path: bytes, folder: bool) -> bool:
        """Return whether a path is left out whose folder is not.

        Parameters
        ----------
        path : bytes
            Relative to the root.
        folder : bool
            Whether it is one.
        """
        name = os.path.basename(path)
        if name.startswith(b".") and not self._hidden:
            return True
        if _SYSTEM.fullmatch(name):
            return True
        if self._spec is None:
            return False
        return bool(self._spec.match_file(os.fsdecode(path) + "/" * folder))

    def excludes_within(self, path: bytes) -> bool:
        """Return whether a file is left out, or a folder above it."""
        parts = path.split(b"/")
        above = (b"/".join(parts[:count]) for count in range(1, len(parts)))
        return any(self.excludes(one, True) for one in above) or self.excludes(path, False)
