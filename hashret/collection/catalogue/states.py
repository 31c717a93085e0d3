"""The files that are missing, skipped or other, with the reasons."""

from __future__ import annotations

import os
from collections.abc import Iterator

from .catalogue import Catalogue
from .roots import roots_of

__all__ = ["files_in_state"]


def files_in_state(catalogue: Catalogue, state: str) -> Iterator[tuple[bytes, str]]:
    """Yield absolute paths and reasons of all files that are missing, skipped or other."""
    roots = {root.id: root.path for root in roots_of(catalogue)}
    query = "SELECT root, path, reason FROM files WHERE state = ? ORDER BY root, path"
    for root, path, reason in catalogue.execute(query, (state,)):
        yield os.path.join(roots[root], path), reason
