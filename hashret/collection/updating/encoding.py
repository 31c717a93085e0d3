"""From pixels to rows of codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ...images.reading import Read
from ...types import Codes, Floats, Images
from ..catalogue import Catalogue

__all__ = ["Encoder", "encode_missing", "write_images"]

Rows = list[tuple[int, bytes, bytes, float | None]]  # encoder, content, code, quality


class Encoder(Protocol):
    """What makes codes of pictures."""

    @property
    def name(self) -> str:
        """What the collection calls it."""

    @property
    def fingerprint(self) -> str:
        """At most 64 ASCII characters; equal ones give equal codes."""

    @property
    def bits(self) -> int:
        """Length of a code."""

    @property
    def side(self) -> int:
        """Pixels of the longer side that it can use; more are scaled away while reading."""

    @property
    def settings(self) -> dict[str, Any]:
        """What makes it again, as JSON has it."""

    def encode(self, pictures: Sequence[Images], /) -> tuple[Codes, Floats | None]:
        """Return packed codes of pictures of various sizes, and their qualities if it knows any.

        The code of a picture is the same whatever others are encoded with it.
        """


def encode_missing(
    catalogue: Catalogue, reads: Sequence[Read], encoders: Mapping[int, Encoder]
) -> Rows:
    """Encode images by each encoder of which they have no code, once where files are alike.

    Parameters
    ----------
    encoders : mapping of int to Encoder
        By their rows in the catalogue.
    """
    unique = {read.content: read for read in reads}
    codes: Rows = []
    for row, encoder in encoders.items():
        lacking = [r for r in unique.values() if not _has(catalogue, row, r.content)]
        if not lacking:
            continue
        packed, quality = encoder.encode([read.pixels for read in lacking])
        if len(packed) != len(lacking):
            raise ValueError(
                f"encoder {encoder.name!r}: {len(packed)} codes of {len(lacking)} images"
            )
        qualities = [None] * len(lacking) if quality is None else [float(q) for q in quality]
        for read, code, value in zip(lacking, packed, qualities, strict=True):
            codes.append((row, read.content, np.asarray(code, np.uint8).tobytes(), value))
    return codes


def write_images(catalogue: Catalogue, reads: Sequence[Read], codes: Rows) -> None:
    """Write images that are new, and codes, inside a transaction."""
    catalogue.executemany(
        "INSERT OR IGNORE INTO images (content, format, width, height, taken) "
        "VALUES (?, ?, ?, ?, ?)",
        [(read.content, read.format, read.width, read.height, read.taken) for read in reads],
    )
    if codes:
        generation = catalogue.raise_generation()
        catalogue.executemany(
            "INSERT INTO codes (encoder, image, code, quality, generation) "
            f"VALUES (?1, (SELECT id FROM images WHERE content = ?2), ?3, ?4, {generation})",
            codes,
        )


def _has(catalogue: Catalogue, encoder: int, content: bytes) -> bool:
    query = """SELECT EXISTS (SELECT 1 FROM codes JOIN images ON images.id = codes.image
        WHERE encoder = ? AND content = ?)"""
    return bool(catalogue.execute(query, (encoder, content)).fetchone()[0])
