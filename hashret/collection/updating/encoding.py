"""From pixels to rows of codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ...types import Codes, Floats, Images
from ..catalogue import Catalogue
from ..reading import Read

__all__ = ["Encode", "Encoder", "encode_missing", "write_images"]

# Pictures of various sizes to packed codes, a row each, and their qualities if it knows of any.
Encode = Callable[[Sequence[Images]], tuple[Codes, Floats | None]]
Rows = list[tuple[int, bytes, bytes, float | None]]  # encoder, content, code, quality


class Encoder(NamedTuple):
    """What makes codes of images, and a text that is another for every other encoder."""

    encode: Encode
    fingerprint: str


def encode_missing(
    catalogue: Catalogue,
    reads: Sequence[Read],
    encoders: Mapping[str, Encoder],
    rows: Mapping[str, int],
) -> Rows:
    """Encode images by each encoder of which they have no code, once where files are alike.

    Parameters
    ----------
    rows : mapping of str to int
        The row of each encoder in the catalogue.
    """
    unique = {read.content: read for read in reads}
    codes: Rows = []
    for name, encoder in encoders.items():
        lacking = [r for r in unique.values() if not _has(catalogue, rows[name], r.content)]
        if not lacking:
            continue
        packed, quality = encoder.encode([read.pixels for read in lacking])
        if len(packed) != len(lacking):
            raise ValueError(f"encoder {name!r}: {len(packed)} codes of {len(lacking)} images")
        qualities = [None] * len(lacking) if quality is None else [float(q) for q in quality]
        for read, code, value in zip(lacking, packed, qualities, strict=True):
            codes.append((rows[name], read.content, np.asarray(code, np.uint8).tobytes(), value))
    return codes


def write_images(catalogue: Catalogue, reads: Sequence[Read], codes: Rows) -> None:
    """Write images that are new, and codes, inside a transaction."""
    catalogue.executemany(
        "INSERT OR IGNORE INTO images (content, format, width, height, taken) "
        "VALUES (?, ?, ?, ?, ?)",
        [(read.content, read.format, read.width, read.height, read.taken) for read in reads],
    )
    catalogue.executemany(
        "INSERT INTO codes (encoder, image, code, quality) "
        "VALUES (?1, (SELECT id FROM images WHERE content = ?2), ?3, ?4)",
        codes,
    )
    if codes:
        catalogue.raise_generation()


def _has(catalogue: Catalogue, encoder: int, content: bytes) -> bool:
    query = """SELECT EXISTS (SELECT 1 FROM codes JOIN images ON images.id = codes.image
        WHERE encoder = ? AND content = ?)"""
    return bool(catalogue.execute(query, (encoder, content)).fetchone()[0])
