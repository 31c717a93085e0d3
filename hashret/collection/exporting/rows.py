"""What is exported: images with their codes, block by block, as they were at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import IdError
from ...types import Codes, Floats, Ids
from ..catalogue import Catalogue, EncoderRow
from ..images import Image, images_of
from ..labels import keys_of, values_of

__all__ = ["Block", "Rows", "rows_of", "text_of"]

BLOCK = 4096


class Block(NamedTuple):
    """Some images in the order of their ids: of row i, ``codes[i]`` and so on.

    Attributes
    ----------
    images : list of Image
    codes : ndarray of uint8, shape (n, bytes)
    quality : ndarray of float64, shape (n,)
        NaN where the encoder knows none.
    labels : list of dict
        Value by key.
    """

    images: list[Image]
    codes: Codes
    quality: Floats
    labels: list[dict[str, str]]

    @property
    def ids(self) -> Ids:
        """The ids."""
        return np.array([image.id for image in self.images], np.int64)


@dataclass
class Rows:
    """The images of an encoder, in the order of their ids.

    Attributes
    ----------
    encoder : EncoderRow
    ids : ndarray of int64, shape (n,)
    keys : tuple of str
        Of the labels that images of the collection have.
    """

    encoder: EncoderRow
    ids: Ids
    keys: tuple[str, ...]
    _catalogue: Catalogue

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def codes(self) -> Codes:
        """All codes."""
        none = np.empty((0, -(-self.encoder.bits // 8)), np.uint8)
        return np.concatenate([none, *(block.codes for block in self.blocks())])

    def blocks(self) -> Iterator[Block]:
        """Yield all rows, some thousands at a time."""
        for start in range(0, len(self.ids), BLOCK):
            yield self._block(self.ids[start : start + BLOCK])

    def _block(self, ids: Ids) -> Block:
        found = self._catalogue.execute(
            "SELECT code, quality FROM codes WHERE encoder = ? AND image IN "
            f"({', '.join(map(str, ids.tolist()))}) ORDER BY image",
            (self.encoder.id,),
        ).fetchall()
        codes = np.frombuffer(b"".join(code for code, _ in found), np.uint8)
        quality = [np.nan if one is None else one for _, one in found]
        labels = values_of(self._catalogue, ids.tolist()) if self.keys else {}
        return Block(
            list(images_of(self._catalogue, ids.tolist())),
            codes.reshape(len(found), -1),
            np.array(quality, np.float64),
            [labels.get(image, {}) for image in ids.tolist()],
        )


@contextmanager
def rows_of(
    catalogue: Catalogue, encoder: EncoderRow, ids: Iterable[int] | None = None
) -> Iterator[Rows]:
    """Read the images of an encoder as they are now, whatever changes until the block ends.

    Parameters
    ----------
    catalogue : Catalogue
    encoder : EncoderRow
    ids : iterable of int, optional
        All by default.

    Raises
    ------
    IdError
        If an id has no code of the encoder.
    """
    catalogue.execute("BEGIN")
    try:
        query = "SELECT image FROM codes WHERE encoder = ? ORDER BY image"
        known: npt.NDArray[Any] = np.fromiter(
            (image for (image,) in catalogue.execute(query, (encoder.id,))), np.int64
        )
        chosen = known if ids is None else _chosen(known, ids, encoder)
        keys = tuple(key.key for key in keys_of(catalogue))
        yield Rows(encoder, chosen, keys, catalogue)
    finally:
        catalogue.execute("COMMIT")


def _chosen(known: Ids, ids: Iterable[int], encoder: EncoderRow) -> Ids:
    wanted = sorted({*ids})
    unknown = {*wanted} - {*known.tolist()}
    if unknown:
        raise IdError(
            f"ids: {len(unknown)} have no code of {encoder.name}, the first {min(unknown)}"
        )
    return np.array(wanted, np.int64)


def text_of(image: Image) -> str:
    """Return the path of the first file of an image; bytes that are not UTF-8 as ``\\xff``."""
    path = image.files[0].path if image.files else b""
    return path.decode(errors="backslashreplace")
