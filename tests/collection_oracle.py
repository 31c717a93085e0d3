"""What a collection must be found to hold: slow and obvious, by os.walk and reading."""

from __future__ import annotations

import os
from pathlib import Path

from collection_pictures import content_of
from PIL import Image


def files_of(root: Path, others: set[Path], denied: set[Path]) -> dict[bytes, bytes | None]:
    """Return the content of each image below a root, and None for what is none."""
    found: dict[bytes, bytes | None] = {}
    for folder, folders, names in os.walk(os.fsencode(root)):
        here = Path(os.fsdecode(folder))
        if here in denied:
            folders.clear()
            continue
        folders[:] = [
            n for n in folders if not n.startswith(b".") and here / os.fsdecode(n) not in others
        ]
        for name in [*names, *(n for n in folders if os.path.islink(os.path.join(folder, n)))]:
            path = os.path.join(folder, name)
            if not name.startswith(b".") and not os.path.isdir(path):
                found[os.path.relpath(path, os.fsencode(root))] = image_content(path)
    return found


def image_content(path: bytes) -> bytes | None:
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        data = file.read()
    try:
        Image.open(path).close()
    except OSError:
        return None
    return content_of(data)
