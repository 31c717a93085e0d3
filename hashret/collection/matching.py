"""Matching: which images of a collection are near those of a list, or of another collection."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..errors import EncoderMismatchError, ParameterError, ShapeError
from ..index import Index
from ..types import Codes, Ids
from .collection import Collection
from .importing import HashList
from .indexes import codes_of

__all__ = ["Match", "match_codes", "match_collection", "match_list"]

# So many distances and ids at once, 12 bytes each; and so many codes.
_RESULTS = 2**22
_MOST = 4096


class Match(NamedTuple):
    """A code of a list within the radius of an image's.

    Attributes
    ----------
    row : int
        Of the list; or, of another collection, the id of its image.
    image : int
        Id of an image of the collection.
    distance : int
    """

    row: int
    image: int
    distance: int


def match_list(
    collection: Collection, encoder: str, hashes: HashList, radius: int
) -> Iterator[Match]:
    """Yield the images of a collection within the radius of each hash of a list.

    Parameters
    ----------
    collection : Collection
    encoder : str
        Whose codes are compared.
    hashes : HashList
    radius : int

    Yields
    ------
    match : Match
        By rows of the list, from the nearest.

    Raises
    ------
    ShapeError
        If the hashes have another length than the encoder's codes.
    """
    index = collection.index(encoder)
    if index.bits != hashes.bits:
        raise ShapeError(
            f"list: expected hashes of {index.bits} bits, as {encoder} has, got {hashes.bits}"
        )
    return match_codes(index, hashes.codes, np.arange(len(hashes)), radius)


def match_collection(
    collection: Collection, encoder: str, other: Collection, radius: int
) -> Iterator[Match]:
    """Yield the images of a collection within the radius of each image of another.

    Parameters
    ----------
    collection, other : Collection
    encoder : str
    radius : int

    Raises
    ------
    EncoderMismatchError
        If the two collections' codes of this name come from different encoders.
    ParameterError
        If both are the same collection.
    """
    if os.path.samefile(collection.store, other.store):
        raise ParameterError(
            "other: expected another collection; hashret dedup compares within one"
        )
    index, theirs = collection.index(encoder), other.index(encoder)
    if index.encoder != theirs.encoder:
        raise EncoderMismatchError(
            f"encoder {encoder!r}: the codes here were made with {index.encoder}, those of "
            f"{other.store} with {theirs.encoder}"
        )
    ids, codes = codes_of(other.catalogue, other.encoders[encoder])
    return match_codes(index, codes, ids, radius)


def match_codes(
    index: Index, codes: Codes, rows: Sequence[int] | Ids, radius: int
) -> Iterator[Match]:
    """Yield the ids of an index within the radius of codes; `rows` are what the codes are called.

    Blocks of codes are searched one after another, smaller ones where more is found, so that what
    is found at once stays at some millions.

    Examples
    --------
    >>> index = Index(bits=8)
    >>> _ = index.add(np.array([[0], [7]], np.uint8))
    >>> [*match_codes(index, np.array([[1], [255], [6]], np.uint8), [10, 11, 12], radius=1)]
    [Match(row=10, image=0, distance=1), Match(row=12, image=1, distance=1)]
    """
    start, most = 0, max(_RESULTS // max(len(index), 1), 1)
    densest = 0
    while start < len(codes):
        count = min(most, _MOST)
        limits, distances, ids = index.range_search(codes[start : start + count], radius)
        for at, row in enumerate(rows[start : start + count]):
            own = slice(limits[at], limits[at + 1])
            for image, distance in zip(ids[own].tolist(), distances[own].tolist(), strict=True):
                yield Match(int(row), image, distance)
        start += count
        densest = max(densest, int(np.diff(limits).max()))
        most = max(min(2 * most, _RESULTS // max(densest, 1)), 1)
