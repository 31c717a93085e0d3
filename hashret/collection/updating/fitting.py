"""Encoders that are fitted to a sample, and the codes of its pictures, which are read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ...images.reading import Read
from ...types import Codes, Images
from ..catalogue import Catalogue
from .encoding import CodeRow, Encoder, Rows, encode_missing, has_code, rows_of

__all__ = ["Fitting", "Unfitted"]

Vectors = npt.NDArray[np.float32]


class Unfitted(Protocol):
    """What becomes an encoder when it has seen a sample of the collection."""

    @property
    def name(self) -> str:
        """What the collection calls it."""

    @property
    def sample(self) -> int:
        """How many pictures it is fitted to, at most."""

    def describe(self, pictures: Sequence[Images], /) -> Vectors:
        """Return a vector a picture, whatever others it comes with; shape (n, d)."""

    def fit(self, contents: Sequence[bytes], vectors: Vectors, store: str) -> tuple[Encoder, Codes]:
        """Return the encoder that is fitted to vectors, kept in a store, and their codes.

        Parameters
        ----------
        contents : sequence of bytes
            Of the pictures, in any order: theirs counts.
        vectors : ndarray of float32, shape (n, d)
            At least one.
        """


class Fitting:
    """What a sample gives, batch by batch: vectors for what is fitted, codes of the others.

    The vectors are kept, 4 bytes a number (10 MiB for 2,048 of 1,280), and no pixels.

    Parameters
    ----------
    catalogue : Catalogue
    encoders : sequence of Encoder
    unfitted : sequence of Unfitted
    """

    def __init__(
        self, catalogue: Catalogue, encoders: Sequence[Encoder], unfitted: Sequence[Unfitted]
    ) -> None:
        self._catalogue = catalogue
        self._encoders, self._unfitted = encoders, unfitted
        self._contents: dict[bytes, None] = {}
        self._vectors: list[list[Vectors]] = [[] for _ in unfitted]
        self._rows: dict[bytes, Rows] = {}

    def add(self, reads: Sequence[Read]) -> None:
        """Take pictures; those of contents that were taken before are left out."""
        new = {read.content: read for read in reads if read.content not in self._contents}
        if not new:
            return
        self._contents |= dict.fromkeys(new)
        self._note(encode_missing(self._catalogue, [*new.values()], self._encoders))
        for one, vectors in zip(self._unfitted, self._vectors, strict=True):
            vectors.append(one.describe([read.pixels for read in new.values()]))

    def encoders(self) -> Iterator[Encoder]:
        """Fit, and yield the encoders; none if there was no picture."""
        contents = [*self._contents]
        for one, vectors in zip(self._unfitted, self._vectors, strict=True):
            if not vectors:
                return
            table = np.concatenate(vectors)
            vectors.clear()
            encoder, codes = one.fit(contents, table, self._catalogue.store)
            rows = rows_of(encoder, contents, codes, None)
            self._note(r for r in rows if not has_code(self._catalogue, encoder, r.content))
            yield encoder

    def rows(self, reads: Iterable[Read]) -> Rows:
        """Return the codes that pictures lack, once each, of all encoders."""
        return [row for read in reads for row in self._rows.pop(read.content, ())]

    def _note(self, rows: Iterable[CodeRow]) -> None:
        for row in rows:
            self._rows.setdefault(row.content, []).append(row)
