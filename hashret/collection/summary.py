"""What there is in a collection, in numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from .catalogue import encoder_rows, roots_of
from .collection import Collection
from .encoders import outgrown
from .settings import updated_at

__all__ = ["summary"]

_STATES = ("present", "missing", "skipped", "other")


def summary(collection: Collection) -> dict[str, Any]:
    """Return what there is in a collection, as JSON has it.

    Returns
    -------
    summary : dict
        ``store``; ``roots``: of each its ``path`` (bytes), whether it is ``reachable``, and
        ``files`` by state; ``images``; ``files`` by state; ``encoders``: of each ``name``,
        ``fingerprint``, ``bits``, how many ``codes``, whether it is ``active``, and whether it
        is ``outgrown``, see :func:`.encoders.outgrown`;
        ``settings``; ``bytes`` on the disk by folder of the store; ``updated``: ISO 8601, or None.
    """
    catalogue = collection.catalogue
    counts = {
        (root, state): count
        for root, state, count in catalogue.execute(
            "SELECT root, state, count(*) FROM files GROUP BY root, state"
        )
    }
    roots = [
        {
            "path": root.path,
            "reachable": os.path.isdir(root.path),
            "files": {state: counts.get((root.id, state), 0) for state in _STATES},
        }
        for root in roots_of(catalogue)
    ]
    (images,) = catalogue.execute("SELECT count(*) FROM images").fetchone()
    at = updated_at(catalogue)
    settings = collection.settings
    return {
        "store": os.path.abspath(collection.store),
        "roots": roots,
        "images": images,
        "files": {
            state: sum(count for (_, one), count in counts.items() if one == state)
            for state in _STATES
        },
        "encoders": [*_encoders(collection, images)],
        "settings": {
            "exclude": list(settings.exclude),
            "hidden": settings.hidden,
            "one_file_system": settings.one_file_system,
        },
        "bytes": _bytes_by_folder(collection.store),
        "updated": at and datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
    }


def _encoders(collection: Collection, images: int) -> Iterator[dict[str, Any]]:
    for row in encoder_rows(collection.catalogue, all=True).values():
        query = "SELECT count(*) FROM codes WHERE encoder = ?"
        (codes,) = collection.catalogue.execute(query, (row.id,)).fetchone()
        yield {
            "name": row.name,
            "fingerprint": row.fingerprint,
            "bits": row.bits,
            "codes": codes,
            "active": row.active,
            "outgrown": row.active and outgrown(row, images),
        }


def _bytes_by_folder(store: str) -> dict[str, int]:
    """Return how much lies in each folder of the store; ``""`` is the store's own files."""
    sizes: dict[str, int] = {}
    for folder, _, names in os.walk(store):
        top = os.path.relpath(folder, store).split(os.sep)[0].removeprefix(".")
        for name in names:
            path = os.path.join(folder, name)
            size = os.lstat(path).st_size if os.path.lexists(path) else 0
            sizes[top] = sizes.get(top, 0) + size
    return sizes
