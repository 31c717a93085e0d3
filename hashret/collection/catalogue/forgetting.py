"""Forgetting: the only way by which an image leaves the catalogue."""

from __future__ import annotations

from .catalogue import Catalogue

__all__ = ["forget_missing"]


def forget_missing(catalogue: Catalogue) -> tuple[int, int]:
    """Remove the files that are missing, and the images of which no file is left.

    An image whose file is in the quarantine stays. So do what was decided about an image, and the
    caller's metadata: they go by content.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.

    Returns
    -------
    files, images : int
        How many were removed.
    """
    orphans = """SELECT id FROM images
        WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.content = images.content)
        AND content NOT IN (SELECT content FROM operations
            WHERE state != 'undone' AND content IS NOT NULL)"""
    with catalogue.transaction():
        files = catalogue.execute("DELETE FROM files WHERE state = 'missing'").rowcount
        catalogue.execute(f"DELETE FROM codes WHERE image IN ({orphans})")
        images = catalogue.execute(f"DELETE FROM images WHERE id IN ({orphans})").rowcount
        if images:
            catalogue.raise_generation(removed=True)
    return files, images
