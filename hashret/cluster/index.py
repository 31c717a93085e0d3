"""ShardedIndex: many index files, on this machine or on a Ray cluster, as one index."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from types import TracebackType
from typing import Any, Literal, Self, overload

import numpy as np
import numpy.typing as npt

from ..checks import check_ids, check_int, check_number, is_int
from ..codes import as_codes, check_bits
from ..errors import EncoderMismatchError, FormatError, IdError
from ..index.arguments import check_fingerprint
from ..types import Codes, Ids
from .cache import Cache
from .checksums import Checksums
from .filter import ShardedFilter
from .fleet import Fleet, LocalFleet
from .location import open_location
from .manifest import Manifest, Shard
from .shard import OpenShard
from .state import Nearest, Question, State, Within
from .tables import all_paths, encoded_files, failures, merge_tables, names_of, paths_of
from .writing import SHARD_CODES, batches, split, with_removed, write_shard

__all__ = ["ShardedIndex"]

Missing = tuple[str, ...]
Allowing = ShardedFilter | npt.ArrayLike | None
Excluding = npt.ArrayLike | Literal["self"] | None
_TIMEOUT = 30.0


class ShardedIndex:
    """Codes with ids in many index files, searched as one index.

    Answers are those of one :class:`hashret.Index` over the same codes: results by distance, then
    by id, the same for any number of shards. A call sees one state of the index, that of
    :attr:`generation`; what others change is seen after :meth:`refresh`.

    Parameters
    ----------
    location : path-like or str
        The folder that :meth:`create` made, or an address that fsspec opens (``s3://...``).
    generation : int, optional
        An older state of it, to read.
    encoder : str, optional
        Fingerprint that the index must have.
    replicas : int
        0: this process maps the shards. Otherwise each is mapped by so many actors of the Ray
        cluster, on different nodes, as far as there are nodes; which cluster, a call of
        :func:`hashret.cluster.replicas.connect` says before.
    cache : path-like, optional
        A folder for copies of the shards, on each machine; by default in the user's cache.
    budget : int, optional
        Bytes that it may take there.
    timeout : float
        Seconds within which a call on a cluster has its answer, or an error.

    Raises
    ------
    FileNotFoundError
        If no sharded index is there.
    FormatError
        If its manifest is damaged.
    EncoderMismatchError
        If its codes were made by another encoder.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> codes = np.array([[0b0000], [0b1111], [0b0011]], dtype=np.uint8)
    >>> folder = tempfile.TemporaryDirectory()
    >>> with ShardedIndex.create(f"{folder.name}/a", bits=8, cache=f"{folder.name}/b") as index:
    ...     ids = index.add(codes[:2]), index.add(codes[2:])
    ...     print(index)
    ...     index.search(codes[2:], k=2)
    <hashret.cluster.ShardedIndex 8 bits, 3 codes in 2 shards, generation 2>
    (array([[0, 2]], dtype=int32), array([[2, 0]]))
    >>> folder.cleanup()
    """

    def __init__(
        self,
        location: str | os.PathLike[str],
        *,
        generation: int | None = None,
        encoder: str | None = None,
        replicas: int = 0,
        cache: str | os.PathLike[str] | None = None,
        budget: int | None = None,
        timeout: float = _TIMEOUT,
    ) -> None:
        self._location = open_location(location)
        self._timeout = check_number("timeout", timeout, above=0)
        manifest = self._location.manifest(generation)
        if encoder is not None and encoder != manifest.encoder:
            raise EncoderMismatchError(
                f"{self._location.name}: its codes are of encoder {manifest.encoder}, "
                f"expected {encoder}"
            )
        self._cache = Cache(cache, budget)
        self._fleet = self._new_fleet(manifest, check_int("replicas", replicas, 0))
        self._state = State(manifest, self._fleet, self._timeout)

    @classmethod
    def create(
        cls,
        location: str | os.PathLike[str],
        bits: int,
        *,
        encoder: str | None = None,
        **options: Any,
    ) -> Self:
        """Make a new index without codes, and open it.

        Parameters
        ----------
        location : path-like or str
        bits : int
            Length of a code, 1 to 4096.
        encoder : str, optional
            Fingerprint of the encoder that makes the codes.
        **options
            As for opening it.

        Raises
        ------
        ConflictError
            If there is one.
        ParameterError, DTypeError
            If `bits` or `encoder` is none that :class:`hashret.Index` takes.
        """
        first = Manifest(check_bits(bits), check_fingerprint(encoder))
        open_location(location).commit(first)
        return cls(location, encoder=encoder, **options)

    def _new_fleet(self, manifest: Manifest, replicas: int) -> Fleet:
        if not replicas:
            return LocalFleet(self._location, self._cache, manifest)
        # Ray takes seconds to import.
        from .replicas import RayFleet

        return RayFleet(self._location, self._cache, manifest, replicas)

    # -- what it is ------------------------------------------------------------------

    @property
    def bits(self) -> int:
        """Length of a code."""
        return self._state.manifest.bits

    @property
    def encoder(self) -> str | None:
        """Fingerprint of the encoder that made the codes, if it was given."""
        return self._state.manifest.encoder

    @property
    def generation(self) -> int:
        """Which state of the index this reads."""
        return self._state.manifest.generation

    @property
    def location(self) -> str:
        """What opens it again."""
        return self._location.name

    @property
    def manifest(self) -> Manifest:
        """This state of it."""
        return self._state.manifest

    @property
    def shards(self) -> tuple[Shard, ...]:
        """The shards of this state."""
        return self._state.manifest.shards

    @property
    def ids(self) -> Ids:
        """All ids, ascending: int64 (n,)."""
        return self._state.ids

    def __len__(self) -> int:
        """Return how many codes there are."""
        return len(self._state.manifest)

    def __contains__(self, id: object) -> bool:
        """Return whether there is a code of this id."""
        if not is_int(id) or not -(2**63) <= int(id) < 2**63:  # type: ignore[call-overload]
            return False
        return bool(self._state.where(np.array([id], np.int64))[0] >= 0)

    def __repr__(self) -> str:
        """Return its size and state."""
        return (
            f"<hashret.cluster.ShardedIndex {self.bits} bits, {len(self)} codes in "
            f"{len(self.shards)} shards, generation {self.generation}>"
        )

    def __enter__(self) -> Self:
        """Return the index, to be closed at the end of a block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Let go of the shards, and of the actors that serve them."""
        self._fleet.close()

    def refresh(self) -> bool:
        """Go on with the latest state; whether that is another one."""
        before, latest = self.generation, self._location.manifest()
        self._take(latest)
        return latest.generation != before

    def status(self) -> list[dict[str, Any]]:
        """Return of each copy of a shard where it is and what it did."""
        return self._fleet.status()

    # -- searching -----------------------------------------------------------------------

    @overload
    def search(
        self,
        queries: npt.ArrayLike,
        k: int,
        *,
        filter: Allowing = None,
        exclude: Excluding = None,
        threads: int | None = None,
        partial: Literal[False] = False,
    ) -> Nearest: ...

    @overload
    def search(
        self,
        queries: npt.ArrayLike,
        k: int,
        *,
        filter: Allowing = None,
        exclude: Excluding = None,
        threads: int | None = None,
        partial: Literal[True],
    ) -> tuple[Nearest, Missing]: ...

    def search(
        self,
        queries: npt.ArrayLike,
        k: int,
        *,
        filter: Allowing = None,
        exclude: Excluding = None,
        threads: int | None = None,
        partial: bool = False,
    ) -> Nearest | tuple[Nearest, Missing]:
        """Find the k nearest codes of each query.

        Parameters
        ----------
        queries, k, filter, exclude, threads
            As for :meth:`hashret.Index.search`.
        partial : bool
            Answer without the shards that do not, and name them.

        Returns
        -------
        distances, ids : ndarray
            As :meth:`hashret.Index.search` returns them. With `partial`, these two as one, and
            the names of the shards that are missing, a tuple of str.

        Raises
        ------
        UnavailableError
            If shards do not answer within the time-out; names them. Not with `partial`.
        ShapeError, DTypeError, CodeError, ParameterError, IdError
            As for :meth:`hashret.Index.search`.
        """
        asked = self._nearest(queries, k, filter, exclude, threads)
        return asked.answer(self._fleet.ask(asked.calls, self._timeout), partial)  # type: ignore[no-any-return]

    async def search_async(
        self,
        queries: npt.ArrayLike,
        k: int,
        *,
        filter: Allowing = None,
        exclude: Excluding = None,
        threads: int | None = None,
        partial: bool = False,
    ) -> Any:
        """As :meth:`search`, for servers: any number may wait on one event loop."""
        asked = await asyncio.to_thread(self._nearest, queries, k, filter, exclude, threads)
        answers = await self._fleet.ask_async(asked.calls, self._timeout)
        return await asyncio.to_thread(asked.answer, answers, partial)

    @overload
    def range_search(
        self,
        queries: npt.ArrayLike,
        radius: int,
        *,
        filter: Allowing = None,
        exclude: Excluding = None,
        threads: int | None = None,
        partial: Literal[False] = False,
    ) -> Within: ...

    @overload
    def range_search(
        self,
        queries: npt.ArrayLike,
        radius: int,
        *,
        filter: Allowing = None,
        exclude: Excluding = None,
        threads: int | None = None,
        partial: Literal[True],
    ) -> tuple[Within, Missing]: ...

    def range_search(
        self,
        queries: npt.ArrayLike,
        radius: int,
        *,
        filter: Allowing = None,
        exclude: Excluding = None,
        threads: int | None = None,
        partial: bool = False,
    ) -> Within | tuple[Within, Missing]:
        """Find all codes at a distance of at most `radius` of each query.

        Parameters, and what `partial` changes, as for :meth:`search`.

        Returns
        -------
        lims, distances, ids : ndarray
            As :meth:`hashret.Index.range_search` returns them.
        """
        asked = self._within(queries, radius, filter, exclude, threads)
        return asked.answer(self._fleet.ask(asked.calls, self._timeout), partial)  # type: ignore[no-any-return]

    async def range_search_async(
        self,
        queries: npt.ArrayLike,
        radius: int,
        *,
        filter: Allowing = None,
        exclude: Excluding = None,
        threads: int | None = None,
        partial: bool = False,
    ) -> Any:
        """As :meth:`range_search`, for servers."""
        asked = await asyncio.to_thread(self._within, queries, radius, filter, exclude, threads)
        answers = await self._fleet.ask_async(asked.calls, self._timeout)
        return await asyncio.to_thread(asked.answer, answers, partial)

    def filter(self, allowed: npt.ArrayLike | range) -> ShardedFilter:
        """Prepare a filter, for many searches among some of the codes.

        Parameters
        ----------
        allowed : array_like or range
            Ids, a boolean mask over :attr:`ids`, or all ids of a range without steps.

        Raises
        ------
        IdError
            If an id is unknown.
        """
        return ShardedFilter(self, self._state.allowed(allowed))

    def get(self, ids: npt.ArrayLike) -> Codes:
        """Return the packed codes of ids, uint8 (n, ceil(bits / 8)); IdError if one is unknown."""
        return self._state.get(check_ids(ids))

    def checksums(self) -> tuple[Ids, Checksums]:
        """Return all ids, ascending, and of each the checksum of its code, uint64.

        Two codes hardly have the same, so 8 bytes of each tell whether codes are those expected.
        """
        return self._state.checksums

    def paths(self, ids: npt.ArrayLike) -> list[bytes | None]:
        """Return of each id the path that was encoded, None where a shard has no table."""
        wanted = check_ids(ids)
        state = self._state
        where = state.where(wanted, "ids")
        numbers = [n for n in np.unique(where) if state.shards[n].table is not None]
        found: dict[int, bytes] = {}
        with self._tables([state.shards[n] for n in numbers]) as files:
            for number, file in zip(numbers, files, strict=True):
                found |= paths_of(file, wanted[where == number])
        return [found.get(int(id)) for id in wanted]

    def lost(self) -> list[tuple[Shard, list[tuple[int, bytes]]]]:
        """Return the shards whose index file is not there, and the ids and paths it was made of.

        Only of those that have a table; a file of another size is none.
        """
        sizes = self._location.sizes_of([shard.index for shard in self.shards])
        pairs = zip(self.shards, sizes, strict=True)
        gone = [each for each, size in pairs if size != each.index.size and each.table]
        with self._tables(gone) as files:
            return list(zip(gone, map(encoded_files, files), strict=True))

    def known_paths(self) -> set[bytes]:
        """Return the paths of all files that were read, or failed."""
        with self._tables(self.shards) as files:
            return {path for file in files for path in all_paths(file)}

    def failures(self) -> list[tuple[int, bytes, str]]:
        """Return the files that have no code: their ids, paths, and the reasons."""
        with self._tables(self.shards) as files:
            return failures(files)

    def duplicates(self, radius: int, *, threads: int | None = None) -> list[Ids]:
        """Group codes that are linked by distances of at most `radius`, across all shards.

        As :meth:`hashret.Index.duplicates`. The different codes of each shard are compared with
        those of each other: what is sent is a code each, and a number a link.
        """
        return self._state.duplicates(radius, threads)

    # -- changing ---------------------------------------------------------------------------

    def add(
        self,
        codes: npt.ArrayLike,
        ids: npt.ArrayLike | None = None,
        *,
        shard_codes: int = SHARD_CODES,
    ) -> Ids:
        """Add codes, as new shards: all of them, or none.

        Parameters
        ----------
        codes, ids
            As for :meth:`hashret.Index.add`.
        shard_codes : int
            Of one shard, at most.

        Raises
        ------
        ConflictError
            If another writer has changed the index since this one read it.
        IdError
            If an id is repeated or present.
        """
        most = check_int("shard_codes", shard_codes, 1)
        packed = as_codes(codes, self.bits)
        manifest = self._state.manifest
        if ids is None:
            if manifest.next_id + len(packed) > 2**63:
                raise IdError("ids: no id is left above the greatest one: give ids")
            new = manifest.next_id + np.arange(len(packed))
        else:
            new = check_ids(ids, len(packed))
            _check_once(new)
            self._check_new(new)
        shards = [
            write_shard(self._location, manifest, part, named)
            for part, named in split(packed, new, most)
        ]
        if shards:
            next_id = max(manifest.next_id, int(new.max()) + 1)
            self._commit(manifest.after(shards=(*manifest.shards, *shards), next_id=next_id))
        return new

    def add_shards(self, shards: Iterable[Shard], next_id: int = 0) -> None:
        """Add shards that lie in the location already, as encoding writes them.

        Parameters
        ----------
        shards : iterable of Shard
        next_id : int
            Ids below it are not given to others from now on.

        Raises
        ------
        ConflictError
            If another writer has changed the index since this one read it.
        IdError
            If ids of theirs are present, or their tables give them to other files.
        """
        manifest, new = self._state.manifest, tuple(shards)
        spans = sorted((shard.low, shard.high) for shard in new if shard.count)
        for (_, high), (low, _) in pairwise(spans):
            if low <= high:
                raise IdError(f"shards: ids {low} to {high} may lie in two of them")
        for shard in new:
            if any(shard.low <= each.high and each.low <= shard.high for each in manifest.shards):
                self._check_absent(shard)
        self._check_named(new)
        if new:
            next_id = max(next_id, manifest.next_id, *(shard.high + 1 for shard in new))
            self._commit(manifest.after(shards=(*manifest.shards, *new), next_id=next_id))

    def remove(self, ids: npt.ArrayLike) -> None:
        """Remove ids: all of them, or none if one is unknown or repeated.

        Raises
        ------
        ConflictError
            If another writer has changed the index since this one read it.
        IdError
            If an id is unknown or repeated.
        """
        gone = check_ids(ids)
        _check_once(gone)
        state = self._state
        manifest, where = state.manifest, state.where(gone, "ids")
        shards = [
            with_removed(self._location, shard, self._removed(shard), gone[where == number])
            if (where == number).any()
            else shard
            for number, shard in enumerate(manifest.shards)
        ]
        if len(gone):
            self._commit(manifest.after(shards=tuple(each for each in shards if each)))

    def compact(self, *, shard_codes: int = SHARD_CODES) -> None:
        """Write small shards, and those that have lost codes, anew as fewer ones.

        The files of older states stay for their readers; :meth:`drop_unused` removes them.

        Parameters
        ----------
        shard_codes : int
            Of one shard, at most.

        Raises
        ------
        ConflictError
            If another writer has changed the index since this one read it.
        """
        most = check_int("shard_codes", shard_codes, 1)
        state = self._state
        manifest, shards = state.manifest, list(state.shards)
        for batch in batches(manifest.shards, most):
            at = shards.index(batch[0])
            made = self._as_one(state, batch)
            shards = [shard for shard in shards if shard not in batch]
            shards.insert(at, made)
        if shards != list(manifest.shards):
            self._commit(manifest.after(shards=tuple(shards)))

    def drop_unused(self, *, keep: int = 1) -> int:
        """Remove the files that only older states use; those can no longer be read.

        Nobody else may be adding meanwhile: a file that is not in a manifest yet is unused.

        Parameters
        ----------
        keep : int
            How many of the latest states are kept.

        Returns
        -------
        bytes : int
            That were freed.
        """
        kept = self._location.generations()[-check_int("keep", keep, 1) :]
        used = {blob.name for each in kept for blob in self._location.manifest(each).blobs}
        return self._location.drop_unused(used)

    # -- asking --------------------------------------------------------------------------------

    def _nearest(
        self, queries: npt.ArrayLike, k: int, filter: Allowing, exclude: Excluding, threads: Any
    ) -> Question:
        state, allowed = self._state, self._prepared(filter)
        return state.nearest(queries, k, filter=allowed, exclude=exclude, threads=threads)

    def _within(
        self,
        queries: npt.ArrayLike,
        radius: int,
        filter: Allowing,
        exclude: Excluding,
        threads: Any,
    ) -> Question:
        state, allowed = self._state, self._prepared(filter)
        return state.within(queries, radius, filter=allowed, exclude=exclude, threads=threads)

    def _prepared(self, filter: Allowing) -> ShardedFilter | None:
        if filter is None:
            return None
        if not isinstance(filter, ShardedFilter):
            return self.filter(filter)
        filter.check_index(self)
        return filter

    # -- writing ----------------------------------------------------------------------------------

    def _check_new(self, ids: Ids) -> None:
        where = self._state.where(ids)
        if (where >= 0).any():
            raise IdError(f"ids: {ids[where >= 0][0]} is present already")

    def _check_absent(self, shard: Shard) -> None:
        opened = OpenShard(self._location, self._cache, shard, self._state.manifest)
        try:
            self._check_new(opened.ids(shard))
        finally:
            opened.close()

    def _check_named(self, shards: Iterable[Shard]) -> None:
        """Refuse tables with ids that are given already, but to the same files: read again."""
        with self._tables(shards) as files:
            named = {id: path for file in files for id, path in names_of(file).items()}
        # Those from `next_id` on were given to nobody.
        ids = np.array([id for id in named if id < self._state.manifest.next_id], np.int64)
        if not len(ids):
            return
        given: dict[int, bytes] = {}
        with self._tables(self.shards) as files:
            for file in files:
                given |= {id: path for id, path in names_of(file).items() if id in named}
        here = self._state.where(ids) >= 0
        for id, is_here in zip(ids.tolist(), here, strict=True):
            if (id in given or is_here) and given.get(id) != named[id]:
                raise IdError(f"shards: id {id}, of {os.fsdecode(named[id])}, is present already")

    def _removed(self, shard: Shard) -> Ids:
        if shard.removed is None:
            return np.empty(0, np.int64)
        with self._location.open(shard.removed) as file:
            return np.frombuffer(file.read(), "<i8").astype(np.int64)

    def _as_one(self, state: State, batch: Sequence[Shard]) -> Shard:
        codes, ids = state.all_of(batch)
        table = None
        if any(shard.table for shard in batch):
            with self._tables(batch) as files:
                data = merge_tables(files)
            table = self._location.put(data, ".parquet")
        made = write_shard(self._location, state.manifest, codes, ids)
        return replace(made, table=table)

    @contextmanager
    def _tables(self, shards: Iterable[Shard]) -> Iterator[list[str]]:
        """Return the paths of the tables of shards, which stay until the end of a block."""
        with ExitStack() as stack:
            files = []
            for shard in shards:
                if shard.table is not None:
                    held = self._cache.hold(self._location, shard.table)
                    stack.callback(held.release)
                    files.append(held.path)
            yield files

    def _commit(self, manifest: Manifest) -> None:
        self._location.commit(manifest)
        self._take(manifest)

    def _take(self, manifest: Manifest) -> None:
        if (manifest.bits, manifest.encoder) != (self.bits, self.encoder):
            raise FormatError(
                f"{self._location.name}: became an index of other codes: {manifest.bits} bits of "
                f"encoder {manifest.encoder}"
            )
        self._fleet.follow(manifest)
        self._state = State(manifest, self._fleet, self._timeout)


def _check_once(ids: Ids) -> None:
    ordered = np.sort(ids)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(again):
        raise IdError(f"ids: repeated id {again[0]}")
