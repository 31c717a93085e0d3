"""One shard, opened: what it answers, of the codes in it that are not removed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from ..errors import EncoderMismatchError, FormatError
from ..index import Index
from ..types import Bools, Codes, Distances, Ids
from .cache import Cache, Held
from .checksums import Checksums, checksums
from .location import Location
from .manifest import Manifest, Shard

__all__ = ["Allowed", "OpenShard"]

T = TypeVar("T")
# States of removal, and filters, that are kept prepared.
_STATES, _FILTERS = 4, 16
# Pairs of near codes at a time, while shards are compared: some dozens of megabytes.
_PAIRS = 2**22
_FEWEST, _MOST = 16, 4096
# Codes that are copied out at a time to be summed.
_SUMMED = 2**16


@dataclass(frozen=True)
class Allowed:
    """Ids that a search is restricted to: those of one shard, and some that it may not have.

    Attributes
    ----------
    ids : ndarray of int64
        Ascending, each once.
    key : str
        The same for the same ids, so that they are prepared once.
    """

    ids: Ids
    key: str


class _Few(Generic[T]):
    """What was made last, by a key; made once, whoever asks meanwhile."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._made: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            self._made.move_to_end(key)
            while len(self._made) > self._most:
                self._made.popitem(last=False)
            return self._made[key]

    def clear(self) -> None:
        with self._lock:
            self._made.clear()


class OpenShard:
    """A mapped shard.

    Every method takes the shard as a manifest has it: the index file is the same for ever, and
    what is removed of it is told anew each time, so that readers of older manifests go on.

    Parameters
    ----------
    location : Location
    cache : Cache
    shard : Shard
    manifest : Manifest
        Whose bits and encoder it must have.

    Raises
    ------
    EncoderMismatchError
        If its codes are of another encoder.
    FormatError
        If it is not what the manifest says.
    """

    def __init__(self, location: Location, cache: Cache, shard: Shard, manifest: Manifest) -> None:
        self._location, self._cache = location, cache
        self._held = cache.hold(location, shard.index)
        try:
            self._index = _load(self._held, shard, manifest)
        except BaseException:
            self._held.release()
            raise
        self._states: _Few[_State] = _Few(_STATES)
        self._links: _Few[_Links] = _Few(1)

    def close(self) -> None:
        """Let the cache remove its file."""
        self._held.release()

    def is_whole(self, shard: Shard) -> bool:
        """Read its file through; whether it is what it was written as."""
        return self._cache.verify(shard.index)

    def size(self, shard: Shard) -> int:
        """Return the bytes of its index, wherever they lie."""
        return int(self._index.stats()["bytes"])

    # -- answers ------------------------------------------------------------------

    def search(
        self,
        shard: Shard,
        queries: Codes,
        k: int,
        allowed: Allowed | None,
        exclude: Ids | None,
        threads: int | None,
    ) -> tuple[Distances, Ids]:
        """As :meth:`hashret.Index.search`; not more columns than there are codes."""
        state = self._state(shard)
        count, filter = state.filter(allowed)
        k = min(k, count)
        if not k:
            return np.empty((len(queries), 0), np.int32), np.empty((len(queries), 0), np.int64)
        return self._index.search(queries, k, filter=filter, exclude=exclude, threads=threads)

    def range_search(
        self,
        shard: Shard,
        queries: Codes,
        radius: int,
        allowed: Allowed | None,
        exclude: Ids | None,
        threads: int | None,
    ) -> tuple[Ids, Distances, Ids]:
        """As :meth:`hashret.Index.range_search`."""
        _, filter = self._state(shard).filter(allowed)
        return self._index.range_search(
            queries, radius, filter=filter, exclude=exclude, threads=threads
        )

    def ids(self, shard: Shard) -> Ids:
        """Return all ids, ascending."""
        return self._state(shard).ids

    def has(self, shard: Shard, ids: Ids) -> Bools:
        """Return of each id whether it is here."""
        return _is_in(ids, self._state(shard).ids)

    def get(self, shard: Shard, ids: Ids) -> Codes:
        """Return the codes of ids that are here."""
        return self._index.get(ids)

    def checksums(self, shard: Shard) -> Checksums:
        """Return of each id, ascending, the checksum of its code."""
        ids = self._state(shard).ids
        parts = [
            checksums(self._index.get(ids[start : start + _SUMMED]))
            for start in range(0, len(ids), _SUMMED)
        ]
        return np.concatenate([np.empty(0, np.uint64), *parts])

    # -- codes of one shard against those of others --------------------------------

    def groups(self, shard: Shard, radius: int, threads: int | None) -> Ids:
        """Return the names of its groups, ascending: the least id of each, single codes too."""
        return np.unique(self._linked(shard, radius, threads).labels)

    def distinct(
        self, shard: Shard, radius: int, start: int, threads: int | None
    ) -> tuple[Codes, Ids]:
        """Return some of its different codes, from `start`, and the group of each."""
        links = self._linked(shard, radius, threads)
        some = links.distinct[start : start + _MOST]
        return self._index.get(some), links.labels[start : start + _MOST]

    def near(self, shard: Shard, radius: int, codes: Codes, threads: int | None) -> tuple[Ids, Ids]:
        """Return which codes have one within the radius here, by row, and of which group."""
        return self._linked(shard, radius, threads).near(codes)

    def members(
        self, shard: Shard, radius: int, linked: Ids, threads: int | None
    ) -> tuple[Ids, Ids]:
        """Return the ids that are alone neither here nor by `linked` groups, and their groups."""
        return self._linked(shard, radius, threads).members(linked)

    def unlink(self, shard: Shard) -> None:
        """Forget what was prepared to compare its codes with those of others."""
        self._links.clear()

    def _state(self, shard: Shard) -> _State:
        return self._states.get(shard.removed, lambda: self._new_state(shard))

    def _new_state(self, shard: Shard) -> _State:
        if shard.removed is None:
            return _State(self._index, None)
        held = self._cache.hold(self._location, shard.removed)
        try:
            removed = np.fromfile(held.path, "<i8").astype(np.int64)
        finally:
            held.release()
        return _State(self._index, removed)

    def _linked(self, shard: Shard, radius: int, threads: int | None) -> _Links:
        ids = self._state(shard).ids
        return self._links.get(
            (shard.removed, radius), lambda: _Links(self._index, ids, radius, threads)
        )


class _State:
    """The codes of a shard but for those that are removed."""

    def __init__(self, index: Index, removed: Ids | None) -> None:
        self._index, self._removed = index, removed
        self._ids: Ids | None = None
        self._live = None if removed is None else index.filter(self.ids)
        self._filters: _Few[Any] = _Few(_FILTERS)

    @property
    def ids(self) -> Ids:
        if self._ids is None:
            ids = self._index.ids
            if self._removed is not None:
                ids = ids[~_is_in(ids, self._removed)]
            self._ids = ids
        return self._ids

    def filter(self, allowed: Allowed | None) -> tuple[int, Any]:
        """Return how many codes a search may return, and the filter that sees to it."""
        if allowed is None:
            return (len(self._index) if self._live is None else len(self._live)), self._live
        made = self._filters.get(
            allowed.key,
            lambda: self._index.filter(allowed.ids[_is_in(allowed.ids, self.ids)]),
        )
        return len(made), made


class _Links:
    """The different codes of a shard, and the groups that they are linked to by a radius.

    Attributes
    ----------
    distinct : ndarray of int64
        An id of each different code: the least.
    labels : ndarray of int64
        Its group: the least id of that.
    """

    def __init__(self, index: Index, ids: Ids, radius: int, threads: int | None) -> None:
        self._radius, self._threads, self._ids = radius, threads, ids
        codes = index.get(ids)
        # As one value a code, numpy sorts them quicker than rows.
        values = codes.view(f"V{codes.shape[1]}").ravel()
        _, first, self._which = np.unique(values, return_index=True, return_inverse=True)
        self.distinct = ids[first]
        self._index = Index(index.bits)
        self._index.add(codes[first], self.distinct)
        self.labels = self._labels()

    def _labels(self) -> Ids:
        labels = self.distinct.copy()
        order = np.argsort(self.distinct)
        for group in self._index.duplicates(self._radius, threads=self._threads):
            rows = order[np.searchsorted(self.distinct, group, sorter=order)]
            labels[rows] = group[0]
        return labels

    def near(self, codes: Codes) -> tuple[Ids, Ids]:
        """Return rows of codes, and groups that they are near to, each pair once."""
        order = np.argsort(self.distinct)
        found, start, many = [], 0, _FEWEST
        while start < len(codes):
            lims, _, ids = self._index.range_search(
                codes[start : start + many], self._radius, threads=self._threads
            )
            rows = start + np.repeat(np.arange(len(lims) - 1), np.diff(lims))
            labels = self.labels[order[np.searchsorted(self.distinct, ids, sorter=order)]]
            found.append(np.unique(np.stack([rows, labels], axis=1), axis=0))
            start += len(lims) - 1
            many = int(np.clip(many * _PAIRS // max(len(ids), 1), _FEWEST, min(_MOST, 4 * many)))
        pairs = np.concatenate([np.empty((0, 2), np.int64), *found])
        return pairs[:, 0], pairs[:, 1]

    def members(self, linked: Ids) -> tuple[Ids, Ids]:
        labels = self.labels[self._which]
        _, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
        wanted = (counts[which] > 1) | _is_in(labels, linked)
        return self._ids[wanted], labels[wanted]


def _load(held: Held, shard: Shard, manifest: Manifest) -> Index:
    index = Index.load(held.path, mmap=True)
    if index.encoder != manifest.encoder:
        raise EncoderMismatchError(
            f"{shard.index.name}: its codes are of encoder {index.encoder}, those of the manifest "
            f"of {manifest.encoder}"
        )
    if (index.bits, len(index)) != (manifest.bits, shard.count):
        raise FormatError(
            f"{shard.index.name}: expected {shard.count} codes of {manifest.bits} bits, got "
            f"{len(index)} of {index.bits}"
        )
    return index


def _is_in(ids: Ids, among: Ids) -> Bools:
    """Return of each id whether it is among ascending ones."""
    if not len(among):
        return np.zeros(len(ids), bool)
    at = np.searchsorted(among, ids)
    found: Bools = among[np.minimum(at, len(among) - 1)] == ids
    return found
