"""Indexes of a collection's codes: files that can be deleted, and are made again.

An index file has in its name the row of its encoder and the catalogue's generation when it was
written. It is mapped, and what has come since is added in memory. Where codes were removed since,
or the file was written beside a catalogue that went on otherwise, as where a copy was put in its
place, it is read from the catalogue anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress

import numpy as np

from ..errors import FormatError
from ..index import Index
from ..types import Codes, Ids
from .catalogue import Catalogue, EncoderRow
from .store import folder_in

__all__ = ["codes_of", "load_index", "make_indexes_anew", "save_index"]

_FOLDER = "indexes"
_NAME = re.compile(r"(\d+)-(\d+)-(\d+)\.hri")
# A file is written anew when it lacks more than so many codes, and more than one of so many: they
# are added at each opening, which takes a microsecond each, and writing it takes that for all.
_BEHIND = 4096
_BEHIND_OF = 16


def codes_of(catalogue: Catalogue, encoder: EncoderRow, after: int = -1) -> tuple[Ids, Codes]:
    """Return the codes of an encoder, by the ids of their images.

    Parameters
    ----------
    catalogue : Catalogue
    encoder : EncoderRow
    after : int
        Only those of later generations.

    Returns
    -------
    ids : ndarray of int64, shape (n,)
    codes : ndarray of uint8, shape (n, bytes)
    """
    # All of them come in the order of their images; of a few, SQLite would not take the index of
    # generations if the order could spare it the sorting.
    order = "image" if after < 0 else "+image"
    rows = catalogue.execute(
        f"SELECT image, code FROM codes WHERE encoder = ? AND generation > ? ORDER BY {order}",
        (encoder.id, after),
    )
    ids, codes = [], bytearray()
    for image, code in rows:
        ids.append(image)
        codes += code
    packed = np.frombuffer(codes, np.uint8).reshape(len(ids), -(-encoder.bits // 8))
    return np.array(ids, np.int64), packed


def load_index(catalogue: Catalogue, encoder: EncoderRow) -> Index:
    """Open the index of an encoder's codes, up to date with the catalogue.

    Parameters
    ----------
    catalogue : Catalogue
    encoder : EncoderRow

    Returns
    -------
    index : Index
        Its ids are those of the images. It may be added to; the file does not change.
    """
    # What is written between the two is added twice by neither: the generation is read first.
    _, removed = catalogue.generation
    for generation, path in _files(catalogue, encoder, removed):
        with suppress(OSError, FormatError):
            index = Index.load(path, mmap=True)
            if index.bits == encoder.bits and index.encoder == encoder.fingerprint:
                ids, codes = codes_of(catalogue, encoder, generation)
                if len(ids):
                    index.add(codes, ids=ids)
                return index
    return _whole(catalogue, encoder)


def save_index(catalogue: Catalogue, encoder: EncoderRow) -> None:
    """Write the index file of an encoder if there is none, or it is far behind; drop old ones.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    encoder : EncoderRow
    """
    generation, removed = catalogue.generation
    files = _files(catalogue, encoder, removed)
    if files and not _far_behind(catalogue, encoder, files[0][0]):
        return
    path = os.path.join(
        folder_in(catalogue.store, _FOLDER), f"{encoder.id}-{generation}-{removed}.hri"
    )
    _whole(catalogue, encoder).save(path)
    for name in _names(catalogue):
        if name[0] == encoder.id and name[1:] != (generation, removed):
            with suppress(OSError):
                os.remove(os.path.join(catalogue.store, _FOLDER, "{}-{}-{}.hri".format(*name)))


def make_indexes_anew(catalogue: Catalogue, encoders: Iterable[EncoderRow]) -> None:
    """Delete all index files, and write those of some encoders from their codes."""
    for name in _names(catalogue):
        os.remove(os.path.join(catalogue.store, _FOLDER, "{}-{}-{}.hri".format(*name)))
    for encoder in encoders:
        save_index(catalogue, encoder)


def _whole(catalogue: Catalogue, encoder: EncoderRow) -> Index:
    ids, codes = codes_of(catalogue, encoder)
    index = Index(encoder.bits, encoder=encoder.fingerprint)
    if len(ids):
        index.add(codes, ids=ids)
    return index


def _files(catalogue: Catalogue, encoder: EncoderRow, removed: int) -> list[tuple[int, str]]:
    """Return generations and paths of the files that only lack what was added, newest first."""
    return [
        (name[1], os.path.join(catalogue.store, _FOLDER, "{}-{}-{}.hri".format(*name)))
        for name in sorted(_names(catalogue), reverse=True)
        if name[0] == encoder.id and name[2] == removed and _was_at(catalogue, name[1])
    ]


def _was_at(catalogue: Catalogue, generation: int) -> bool:
    """Return whether a generation is one of this catalogue: its latest, or one that codes have."""
    if generation in catalogue.generation:
        return True
    query = """SELECT EXISTS (SELECT 1 FROM encoders JOIN codes ON codes.encoder = encoders.id
        WHERE codes.generation = ?)"""
    return bool(catalogue.execute(query, (generation,)).fetchone()[0])


def _names(catalogue: Catalogue) -> list[tuple[int, int, int]]:
    try:
        names = os.listdir(os.path.join(catalogue.store, _FOLDER))
    except OSError:
        return []
    found = (_NAME.fullmatch(name) for name in names)
    return [(int(one[1]), int(one[2]), int(one[3])) for one in found if one]


def _far_behind(catalogue: Catalogue, encoder: EncoderRow, generation: int) -> bool:
    behind = _count_after(catalogue, encoder, generation)
    return behind > _BEHIND and behind * _BEHIND_OF > _count_after(catalogue, encoder, -1)


def _count_after(catalogue: Catalogue, encoder: EncoderRow, generation: int) -> int:
    query = "SELECT count(*) FROM codes WHERE encoder = ? AND generation > ?"
    (count,) = catalogue.execute(query, (encoder.id, generation)).fetchone()
    return int(count)
