"""The codes of a collection as sharded indexes, so that a cluster searches them."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from typing import Any

import numpy as np

from ..collection.catalogue import Catalogue, EncoderRow
from ..collection.indexes import codes_of
from ..errors import ConflictError
from .index import ShardedIndex
from .location import open_location
from .manifest import Manifest
from .writing import SHARD_CODES

__all__ = ["CollectionShards"]

_FOLDER = "shards"
# Shards that changes have left are made fewer when there are so many more than need be.
_SMALL = 16
# Of writing, when another process serves the same collection.
_TRIES = 10


class CollectionShards:
    """Opens the index of an encoder's codes, up to date with the catalogue, as shards.

    For :meth:`hashret.collection.Collection.search_by`.

    Parameters
    ----------
    location : path-like or str, optional
        Where the shards lie; by default in the store, which all nodes must then reach.
    shard_codes : int
        Of one shard, at most.
    **options
        As for :class:`.ShardedIndex`: `replicas`, `cache`, `budget`, `timeout`.
    """

    def __init__(
        self,
        location: str | os.PathLike[str] | None = None,
        *,
        shard_codes: int = SHARD_CODES,
        **options: Any,
    ) -> None:
        self._location, self._size, self._options = location, shard_codes, options
        self._lock = threading.Lock()
        self._known: dict[str, tuple[ShardedIndex, tuple[int, int]]] = {}

    def __call__(self, catalogue: Catalogue, encoder: EncoderRow) -> ShardedIndex:
        """Return the index; one for all callers, which follows the catalogue."""
        with self._lock:
            # What is written between the two is found again by the next call.
            state = catalogue.generation
            place = self._place(catalogue, encoder)
            known = self._known.get(place)
            if known is not None and known[1] == state:
                return known[0]
            index = known[0] if known else _opened(place, encoder, self._options)
            for attempt in range(_TRIES):
                try:
                    self._follow(index, catalogue, encoder)
                    break
                except ConflictError:
                    if attempt == _TRIES - 1:
                        raise
                    index.refresh()
            self._known[place] = index, state
            return index

    def status(self) -> list[dict[str, Any]]:
        """Return of each copy of a shard where it is and what it did."""
        with self._lock:
            indexes = [index for index, _ in self._known.values()]
        return [one for index in indexes for one in index.status()]

    def close(self) -> None:
        """Let go of the shards, and end what serves them."""
        with self._lock:
            for index, _ in self._known.values():
                index.close()
            self._known.clear()

    def _place(self, catalogue: Catalogue, encoder: EncoderRow) -> str:
        # A fingerprint may be no file's name.
        name = hashlib.sha256(encoder.fingerprint.encode()).hexdigest()[:16]
        if self._location is None:
            return os.path.join(catalogue.store, _FOLDER, name)
        return f"{os.fspath(self._location).rstrip('/')}/{name}"

    def _follow(self, index: ShardedIndex, catalogue: Catalogue, encoder: EncoderRow) -> None:
        """Add the codes that the index lacks, and remove those that the catalogue no longer has.

        An id may have another code now: codes are imported anew, and catalogues made anew.
        """
        ids, codes = codes_of(catalogue, encoder)
        present = index.ids
        known = np.isin(ids, present, assume_unique=True)
        same = known.copy()
        same[known] = (index.get(ids[known]) == codes[known]).all(axis=1)
        gone = np.setdiff1d(present, ids[same], assume_unique=True)
        if len(gone):
            index.remove(gone)
        new = ~same
        if new.any():
            index.add(codes[new], ids[new], shard_codes=self._size)
        if len(index.shards) > _SMALL + 2 * len(index) // self._size:
            index.compact(shard_codes=self._size)


def _opened(place: str, encoder: EncoderRow, options: dict[str, Any]) -> ShardedIndex:
    location = open_location(place)
    if not location.generations():
        # Unless another process has just made it.
        with suppress(ConflictError):
            location.commit(Manifest(encoder.bits, encoder.fingerprint))
    return ShardedIndex(place, encoder=encoder.fingerprint, **options)
