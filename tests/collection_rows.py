"""What a collection knows of each file, after an update with workers of the test's making."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from hashret.collection import Collection

_ROWS = """
    SELECT files.path, state, reason, format, width, height, code
    FROM files LEFT JOIN images USING (content) LEFT JOIN codes ON codes.image = images.id
"""


class Row(NamedTuple):
    """A file, and the image in it, if it is one."""

    state: str
    reason: str | None
    format: str | None
    width: int | None
    height: int | None
    code: bytes | None


def updated(root: Path, **options: Any) -> dict[bytes, Row]:
    """Update the collection of a folder, and return its files by their paths below it."""
    with Collection.create([root]) as collection:
        report = collection.update(["perceptual"], **options)
        rows = collection.catalogue.execute(_ROWS).fetchall()
        assert collection.catalogue.check() == []
    assert report.found == len(rows)
    return {path: Row(*values) for path, *values in rows}


def start_workers_with(monkeypatch: Any, folder: Path, code: str) -> None:
    """Have each Python process run some code when it starts."""
    folder.mkdir()
    # In place of the guard's, which it calls.
    guard = "import no_network\nno_network.install()\n"
    (folder / "sitecustomize.py").write_text(guard + code)
    path = os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])
    monkeypatch.setenv("PYTHONPATH", path)
