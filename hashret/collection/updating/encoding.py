"""From pixels to rows of codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...images.reading import CodeOf, Read
from ...types import Codes, Floats, Images
from ..catalogue import Catalogue

__all__ = ["CodeRow", "Encoder", "Rows", "encode_missing", "has_code", "rows_of", "write_images"]


class CodeRow(NamedTuple):
    """A code of an image, by the name of its encoder."""

    encoder: str
    content: bytes
    code: bytes
    quality: float | None


Rows = list[CodeRow]


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

    @property
    def code_of(self) -> CodeOf | None:
        """What `encode` does, for one picture, as a function of a module that needs no torch.

        Workers call it, see :func:`.read_files`. None if there is none.
        """

    def encode(self, pictures: Sequence[Images], /) -> tuple[Codes, Floats | None]:
        """Return packed codes of pictures of various sizes, and their qualities if it knows any.

        The code of a picture is the same whatever others are encoded with it.
        """


def encode_missing(
    catalogue: Catalogue, reads: Sequence[Read], encoders: Sequence[Encoder]
) -> Rows:
    """Encode images by each encoder of which they have no code, once where files are alike.

    Codes that were made where they were read are taken.
    """
    unique = {read.content: read for read in reads}
    rows: Rows = []
    for encoder in encoders:
        lacking = [r for r in unique.values() if not has_code(catalogue, encoder, r.content)]
        made = [read for read in lacking if encoder.name in read.codes]
        rows += [CodeRow(encoder.name, r.content, *r.codes[encoder.name]) for r in made]
        lacking = [read for read in lacking if encoder.name not in read.codes]
        if lacking:
            codes, quality = encoder.encode([read.pixels for read in lacking])
            rows += rows_of(encoder, [read.content for read in lacking], codes, quality)
    return rows


def rows_of(
    encoder: Encoder, contents: Sequence[bytes], codes: Codes, quality: Floats | None
) -> Iterator[CodeRow]:
    """Yield the rows of codes that an encoder made."""
    if len(codes) != len(contents):
        raise ValueError(f"encoder {encoder.name!r}: {len(codes)} codes of {len(contents)} images")
    qualities = [None] * len(contents) if quality is None else [float(q) for q in quality]
    for content, code, value in zip(contents, codes, qualities, strict=True):
        yield CodeRow(encoder.name, content, np.asarray(code, np.uint8).tobytes(), value)


def write_images(
    catalogue: Catalogue, reads: Sequence[Read], rows: Rows, encoders: Mapping[str, int]
) -> None:
    """Write images that are new, and codes, inside a transaction.

    Parameters
    ----------
    encoders : mapping of str to int
        From the names of encoders to their rows in the catalogue.
    """
    catalogue.executemany(
        "INSERT OR IGNORE INTO images (content, format, width, height, taken) "
        "VALUES (?, ?, ?, ?, ?)",
        [(read.content, read.format, read.width, read.height, read.taken) for read in reads],
    )
    if rows:
        generation = catalogue.raise_generation()
        catalogue.executemany(
            "INSERT INTO codes (encoder, image, code, quality, generation) "
            f"VALUES (?1, (SELECT id FROM images WHERE content = ?2), ?3, ?4, {generation})",
            [(encoders[row.encoder], *row[1:]) for row in rows],
        )


def has_code(catalogue: Catalogue, encoder: Encoder, content: bytes) -> bool:
    """Return whether an image has a code of an encoder."""
    query = """SELECT EXISTS (SELECT 1 FROM codes JOIN images ON images.id = codes.image
        WHERE content = ? AND encoder IN (
            SELECT id FROM encoders WHERE name = ? AND fingerprint = ?))"""
    values = content, encoder.name, encoder.fingerprint
    return bool(catalogue.execute(query, values).fetchone()[0])
