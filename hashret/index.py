"""Index: nearest neighbours of binary codes by Hamming distance."""

from __future__ import annotations

import copy
import errno
import io
import mmap as _mmap
import os
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, Literal, Self

import numpy as np
import numpy.typing as npt

from . import _native
from ._batch import (
    Batch,
    Distances,
    Ids,
    available_cores,
    range_without,
    run_aside,
    without,
)
from ._checks import (
    as_bytes,
    as_path,
    check_at_least,
    check_exclude,
    check_fingerprint,
    check_ids,
    check_k,
    check_margins,
    check_probes,
    check_tables,
    check_threads,
    find_excluded,
    is_int,
    open_file,
    open_reader,
)
from ._explain import Explanation, explain
from ._join import find_groups, find_neighbors, find_pairs
from .codes import as_codes, check_bits
from .errors import (
    DTypeError,
    EncoderMismatchError,
    FormatError,
    IdError,
    ParameterError,
    ShapeError,
)
from .files import replacing

__all__ = ["Index"]

# Below this many 64-bit words compared, starting threads costs more than it gains.
PARALLEL_WORDS = 1 << 23
# A bucket and its candidates cost about as much as comparing this many words.
WORDS_PER_PROBE = 256
# From so many queries on, threads share the queries and not the codes.
FEW_QUERIES = 32
ALIGNMENT = 64
# Attributes of an index: what is in the native one, in Python for the sake of single queries.
_OWN = {"_native", "_bits", "_kind", "_tables", "_encoder"}


class Index:
    """Codes with ids, searched by Hamming distance.

    Any number of threads may search at once; one at a time may change the
    index, and every call sees it before or after the change. The order of
    results is part of the contract: by distance, then by id, whatever the
    instruction set, the thread count or the history of the index.

    A call that is not told how many ``threads`` it may use takes as many as
    there are cores for this process: of its affinity mask, within the CPU quota
    of its container or control group, and not more than the environment
    variable ``HASHRET_THREADS``, a whole number.

    A forked process has the indexes of its parent, and may change them on its
    own. Only one that another thread was changing at that moment is lost there:
    every use of it raises a :exc:`~hashret.ForkError`.

    Pickling and copying take all codes along; to share an index between
    processes, :meth:`save` it and let each ``load(path, mmap=True)``.

    Parameters
    ----------
    bits : int
        Length of a code, 1 to 4096.
    kind : {"auto", "scan", "mih", "lsh"}
        ``"auto"``, ``"scan"`` and ``"mih"`` are exact and give the same answers.
        ``"scan"`` compares every code. ``"mih"`` looks into the buckets of several
        tables until none of the rest can matter: multi-index hashing, sub-linear.
        ``"auto"`` does for each query what costs less on this machine. ``"lsh"``
        looks only into the buckets that the query falls into: approximate.
    tables : int, optional
        For ``"lsh"``: how many equal parts the code is cut into, each with its
        own bucket table of ``bits / tables`` (at most 64) bits. For ``"auto"`` and
        ``"mih"``: into how many substrings the code is cut, at most 8; by default as
        suits the number of codes. Fewer take less memory and more time.
    encoder : str, optional
        Fingerprint of the encoder that makes the codes; it is kept in the file.

    Examples
    --------
    >>> import numpy as np, hashret
    >>> codes = np.array([[0b0000], [0b1111], [0b0011]], dtype=np.uint8)
    >>> index = hashret.Index(bits=8)
    >>> index.add(codes)
    array([0, 1, 2])
    >>> distances, ids = index.search(codes[2:], k=2)
    >>> distances, ids
    (array([[0, 2]], dtype=int32), array([[2, 0]]))
    """

    def __init__(
        self,
        bits: int,
        kind: str = "auto",
        *,
        tables: int | None = None,
        encoder: str | None = None,
    ) -> None:
        bits = check_bits(bits)
        if not isinstance(kind, str) or kind not in _native.KINDS:
            raise ParameterError(f"kind: expected one of {sorted(_native.KINDS)}, got {kind!r}")
        self._open(
            _native.NativeIndex(bits, _native.KINDS[kind], check_tables(kind, bits, tables)),
            check_fingerprint(encoder),
        )

    def _open(self, native: _native.NativeIndex, encoder: str | None) -> None:
        self._native = native
        self._bits, self._kind, self._tables = native.bits, native.kind, native.tables
        self._encoder = encoder

    @classmethod
    def _of(cls, native: _native.NativeIndex, encoder: str | None) -> Self:
        index = cls.__new__(cls)
        index._open(native, encoder)
        return index

    @property
    def bits(self) -> int:
        """Length of a code."""
        return self._bits

    @property
    def kind(self) -> str:
        """How the index searches."""
        return self._kind

    @property
    def tables(self) -> int | None:
        """Number of bucket tables, if it was given."""
        return self._tables or None

    @property
    def encoder(self) -> str | None:
        """Fingerprint of the encoder that made the codes, if it was given."""
        return self._encoder

    @property
    def ids(self) -> Ids:
        """All ids of one moment, ascending: int64 (n,), a copy."""
        out = np.empty(len(self), np.int64)
        # Another thread may add between the two calls.
        while (count := self._native.ids(out)) > len(out):
            out = np.empty(count, np.int64)
        return out[:count]

    def __len__(self) -> int:
        return len(self._native)

    def __contains__(self, id: object) -> bool:
        return is_int(id) and -(2**63) <= int(id) < 2**63 and int(id) in self._native  # type: ignore[call-overload]

    def __repr__(self) -> str:
        tables = f", tables={self.tables}" if self.tables else ""
        return f"<hashret.Index {self.kind}, {self.bits} bits{tables}, {len(self)} codes>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_bytes, (self.to_bytes(),), self._added() or None

    def __copy__(self) -> Self:
        with self._reader(None) as reader:
            made = self._copy(reader)
        vars(made).update(self._added())
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = self.__copy__()
        memo[id(self)] = made
        vars(made).update(copy.deepcopy(self._added(), memo))
        return made

    def _added(self) -> dict[str, Any]:
        """Attributes that a subclass, or a caller, has added."""
        return {name: value for name, value in vars(self).items() if name not in _OWN}

    def _copy(self, reader: _native.Reader) -> Self:
        return self._of(reader.copy(), self._encoder)

    # -- changing -----------------------------------------------------------

    def add(self, codes: npt.ArrayLike, ids: npt.ArrayLike | None = None) -> Ids:
        """Add codes: all of them, or none if anything is wrong.

        Parameters
        ----------
        codes : array_like
            uint8 (n, ceil(bits / 8)), or uint64 (n, ceil(bits / 64)).
        ids : array_like of int64, shape (n,), optional
            Unique, new, and not -1. By default they go on from the largest id
            ever added, starting at 0.

        Returns
        -------
        ids : ndarray of int64, shape (n,)

        Raises
        ------
        ShapeError, DTypeError, CodeError
            If the codes do not fit.
        IdError
            If an id is repeated or present.
        MemoryError
            If there is no room; the index is unchanged.
        """
        packed = as_codes(codes, self.bits)
        with self._native.writing:
            if ids is None:
                first = self._native.next_id()
                if len(packed) > 2**63 - 1 - first:
                    raise IdError(f"ids: none are left after {first - 1}; give them yourself")
                new = np.arange(first, first + len(packed), dtype=np.int64)
            else:
                new = check_ids(ids, len(packed))
            self._native.add(packed, new, len(packed))
        return new

    def remove(self, ids: npt.ArrayLike) -> None:
        """Remove ids: all of them, or none if one is unknown or repeated.

        Raises
        ------
        IdError
            If an id is unknown or repeated.
        """
        gone = check_ids(ids)
        with self._native.writing:
            self._native.remove(gone, len(gone))

    def update(self, codes: npt.ArrayLike, ids: npt.ArrayLike) -> None:
        """Replace the codes of ids that are present: all of them, or none.

        Raises
        ------
        IdError
            If an id is unknown or repeated.
        """
        packed = as_codes(codes, self.bits)
        changed = check_ids(ids, len(packed))
        with self._native.writing:
            self._native.update(packed, changed, len(packed))

    def get(self, ids: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Return the packed codes of ids, uint8 (n, ceil(bits / 8)).

        Raises
        ------
        IdError
            If an id is unknown.
        """
        wanted = check_ids(ids)
        codes = np.empty((len(wanted), (self.bits + 7) // 8), np.uint8)
        self._native.get(wanted, len(wanted), codes)
        return codes

    # -- searching -----------------------------------------------------------

    def search(
        self,
        queries: npt.ArrayLike,
        k: int,
        *,
        filter: npt.ArrayLike | None = None,
        exclude: npt.ArrayLike | Literal["self"] | None = None,
        threads: int | None = None,
        probes: int = 1,
        margins: npt.ArrayLike | None = None,
    ) -> tuple[Distances, Ids]:
        """Find the k nearest codes of each query.

        Parameters
        ----------
        queries : array_like
            Codes, as for `add`.
        k : int
            At least 1; may exceed the number of codes.
        filter : array_like, optional
            Search only these: ids, or a boolean mask over :attr:`ids`. A mask is one of the
            ids as they are when the search begins; where others change the index, take ids,
            or search a copy of it: ``copy.copy(index)``.
        exclude : array_like of int64, shape (n_queries,), or "self", optional
            Of each query the id that is none of its results: its own, if it is in the index.
            -1 excludes nothing, nor does an id that is not in the index. "self": the queries
            are all codes of the index, in the order of :attr:`ids`.
        threads : int, optional
            At most this many; by default as many as the class says, where that pays.
        probes : int
            For ``"lsh"``: buckets looked at in each table, the query's own first.
        margins : array_like of float, shape (n_queries, bits), optional
            For ``"lsh"``: the real values whose signs are the queries' bits.
            Buckets are then probed in the order of their likelihood.

        Returns
        -------
        distances : ndarray of int32, shape (n_queries, k)
            Ascending; 2147483647 where there are fewer than k.
        ids : ndarray of int64, shape (n_queries, k)
            Among equal distances ascending; -1 where there are fewer than k.

        Raises
        ------
        ShapeError, DTypeError, CodeError
            If the queries, margins, `filter` or `exclude` do not fit.
        ParameterError
            If `k`, `probes` or `threads` is less than 1.
        IdError
            If `filter` names an unknown id.

        Examples
        --------
        >>> import numpy as np, hashret
        >>> index = hashret.Index(bits=8)
        >>> ids = index.add(np.array([[0], [1], [3]], dtype=np.uint8))
        >>> index.search(index.get(ids), k=1, exclude="self")[1].ravel()
        array([1, 0, 1])
        """
        k = check_k(k)
        batch = self._batch(queries, margins, probes)
        threads = None if threads is None else check_threads(threads)
        excluded = None if exclude is None else check_exclude(exclude, batch.count)
        with self._reader(filter) as reader:
            if excluded is None:
                return self._nearest(reader, batch, k, threads)
            found = self._nearest(reader, batch, k + 1, threads)
            return without(*found, find_excluded(excluded, batch.count, reader))

    def explain(
        self, query: npt.ArrayLike, k: int, *, filter: npt.ArrayLike | None = None
    ) -> Explanation:
        """Search for one query on one thread, and tell how.

        Parameters
        ----------
        query : array_like
            One code, uint8 (1, ceil(bits / 8)).
        k : int
            At least 1.
        filter : array_like, optional
            As for :meth:`search`.

        Returns
        -------
        explanation : Explanation
            Which way was taken, what it looked at, and why the answer is exact. Print it
            to read it.

        Examples
        --------
        >>> import numpy as np, hashret
        >>> codes = np.arange(256, dtype=np.uint8)[:, None]
        >>> index = hashret.Index(bits=8, kind="mih")
        >>> _ = index.add(codes)
        >>> told = index.explain(codes[:1], k=1)
        >>> told.way, told.radius, told.exact
        ('mih', 0, True)
        """
        k = check_k(k)
        batch = self._batch(query, None, 1)
        if batch.count != 1:
            raise ShapeError(f"query: expected one code, got {batch.count}")
        with self._reader(filter) as reader:
            distances, work = batch.search_told(reader, k)
            return explain(self._kind, len(reader), distances, work)

    def range_search(
        self,
        queries: npt.ArrayLike,
        radius: int,
        *,
        filter: npt.ArrayLike | None = None,
        exclude: npt.ArrayLike | Literal["self"] | None = None,
        threads: int | None = None,
        probes: int = 1,
        margins: npt.ArrayLike | None = None,
    ) -> tuple[Ids, Distances, Ids]:
        """Find all codes at a distance of at most `radius` of each query.

        Parameters are those of :meth:`search`; `radius` is at least 0.

        Returns
        -------
        lims : ndarray of int64, shape (n_queries + 1,)
            Query i has the results ``lims[i]:lims[i + 1]``.
        distances : ndarray of int32, shape (lims[-1],)
        ids : ndarray of int64, shape (lims[-1],)
            Sorted by (distance, id) within a query.
        """
        radius = min(check_at_least("radius", radius, least=0), self._bits)
        batch = self._batch(queries, margins, probes)
        threads = check_threads(threads)
        excluded = None if exclude is None else check_exclude(exclude, batch.count)
        with self._reader(filter) as reader:
            found = self._within(reader, batch, radius, threads)
            if excluded is None:
                return found
            return range_without(*found, find_excluded(excluded, batch.count, reader))

    def _nearest(
        self, reader: _native.Reader, batch: Batch, k: int, threads: int | None
    ) -> tuple[Distances, Ids]:
        """Search what a reader sees, on as many threads as that is worth."""
        if self._is_short(batch, len(reader)):
            return batch.search_here(reader, k)
        if self._in_buckets(batch.count, FEW_QUERIES if self._kind == "auto" else 2):
            parts = partial(self._parts, batch.count, threads)
            return batch.search_planned(reader, k, parts, scan=self._kind == "auto")
        return batch.search(reader, k, self._parts(batch.count, threads))

    def _within(
        self, reader: _native.Reader, batch: Batch, radius: int, threads: int | None
    ) -> tuple[Ids, Distances, Ids]:
        """The same for all within a radius."""
        if self._is_short(batch, len(reader)):
            return batch.range_search(reader, radius, 1, here=True)
        if self._in_buckets(batch.count, 2):
            return batch.range_planned(reader, radius, partial(self._parts, batch.count, threads))
        return batch.range_search(reader, radius, self._parts(batch.count, threads), here=False)

    # -- every code against all others ------------------------------------------

    def neighbor_graph(self, k: int, *, threads: int | None = None) -> tuple[Ids, Distances, Ids]:
        """Find the k nearest other codes of every code.

        As exact as :meth:`search`: an index of kind ``"lsh"`` finds what shares a bucket.

        Parameters
        ----------
        k : int
            At least 1.
        threads : int, optional
            As for :meth:`search`.

        Returns
        -------
        ids : ndarray of int64, shape (n,)
            All ids, ascending.
        distances : ndarray of int32, shape (n, k)
            As :meth:`search` returns them.
        neighbors : ndarray of int64, shape (n, k)
            Row i has the neighbours of ``ids[i]``, without itself.

        Examples
        --------
        >>> import numpy as np, hashret
        >>> index = hashret.Index(bits=8)
        >>> _ = index.add(np.array([[0], [1], [3], [255]], dtype=np.uint8))
        >>> index.neighbor_graph(k=1)[2].ravel()
        array([1, 0, 1, 2])
        """
        return find_neighbors(self, check_k(k), check_threads(threads))

    def duplicates(self, radius: int, *, threads: int | None = None) -> list[Ids]:
        """Group codes that are linked by distances of at most `radius`.

        Two ids are in a group if a chain of codes leads from one to the other, each at most
        `radius` from the next: the connected components, exact for every kind. Equal codes are
        compared once, so that many copies cost no more than one.

        Parameters
        ----------
        radius : int
            At least 0, which groups equal codes.
        threads : int, optional
            As for :meth:`search`.

        Returns
        -------
        groups : list of ndarray of int64
            The ids of each group of two or more, ascending; groups by their smallest id.

        Examples
        --------
        >>> import numpy as np, hashret
        >>> index = hashret.Index(bits=8)
        >>> _ = index.add(np.array([[0], [255], [1], [254], [0b111100]], dtype=np.uint8))
        >>> index.duplicates(radius=1)
        [array([0, 2]), array([1, 3])]
        """
        radius = min(check_at_least("radius", radius, least=0), self._bits)
        return find_groups(self, radius, self._threads(check_threads(threads)))

    def pairs(self, radius: int, *, threads: int | None = None) -> tuple[Ids, Ids, Distances]:
        """Find all pairs of codes at a distance of at most `radius`.

        As exact as :meth:`range_search`: an index of kind ``"lsh"`` finds what shares a bucket.

        Among m equal codes there are m (m - 1) / 2 pairs: where many are alike,
        :meth:`duplicates` tells the same in less room.

        Parameters
        ----------
        radius : int
            At least 0.
        threads : int, optional
            As for :meth:`search`.

        Returns
        -------
        first, second : ndarray of int64, shape (n_pairs,)
            Each pair once, ``first < second``, ascending by first, then by distance and second.
        distances : ndarray of int32, shape (n_pairs,)

        Examples
        --------
        >>> import numpy as np, hashret
        >>> index = hashret.Index(bits=8)
        >>> _ = index.add(np.array([[0], [1], [3]], dtype=np.uint8))
        >>> index.pairs(radius=1)
        (array([0, 1]), array([1, 2]), array([1, 1], dtype=int32))
        """
        radius = min(check_at_least("radius", radius, least=0), self._bits)
        return find_pairs(self, radius, check_threads(threads))

    def stats(self) -> dict[str, int | float]:
        """Count codes, distinct codes, bytes held, and bytes a code."""
        count, distinct, size = self._native.stats()
        return {
            "count": count,
            "distinct_codes": distinct,
            "bytes": size,
            "bytes_per_code": size / count if count else 0.0,
        }

    def _reader(self, filter: npt.ArrayLike | None, codes: bool = False) -> _native.Reader:
        """Lock the index for reading; make what searches need if it is missing."""
        while True:
            try:
                return open_reader(self._native, filter, codes)
            except _native.NotReady:
                cancel = _native.Cancel()
                run_aside(partial(self._native.make_ready, cancel), len(self._native), cancel)

    def _batch(self, queries: npt.ArrayLike, margins: npt.ArrayLike | None, probes: int) -> Batch:
        packed = as_codes(queries, self._bits, "queries")
        scores = None if margins is None else check_margins(margins, len(packed), self._bits)
        return Batch(packed, self._bits, scores, check_probes(probes, self._kind))

    @staticmethod
    def _threads(threads: int | None) -> int:
        return available_cores() if threads is None else threads

    def _is_short(self, batch: Batch, codes: int) -> bool:
        """Whether the work is over before threads have started."""
        words = batch.count * (
            self._tables * batch.probes * WORDS_PER_PROBE
            if self._kind == "lsh"
            else codes * ((self._bits + 63) // 64)
        )
        return words < PARALLEL_WORDS

    def _parts(self, count: int, threads: int | None) -> int:
        """Into how many parts to divide the work."""
        limit = self._threads(threads)
        # Parts of the rows would each look into all buckets.
        return min(limit, count) if self._kind in ("lsh", "mih") else limit

    def _in_buckets(self, count: int, few: int) -> bool:
        """Whether a look into buckets may answer `count` queries before a thread has started."""
        return self._kind in ("auto", "mih") and count < few

    # -- files ----------------------------------------------------------------

    def save(self, path: str | os.PathLike[str] | BinaryIO) -> None:
        """Write the index to a file: complete, or not at all.

        See :func:`hashret.files.replacing`: links are followed, and the mode of a file that is
        there is kept. The format is described in ``csrc/FORMAT.md``.

        Parameters
        ----------
        path : path-like or binary file
            What is open for writing already gets the bytes of :meth:`to_bytes`.
        """
        if not isinstance(path, (str, os.PathLike)) and hasattr(path, "write"):
            _write_all(path, self.to_bytes())
            return
        with replacing(as_path(path)) as file:
            self._write(file.write)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        mmap: bool = False,
        encoder: str | None = None,
    ) -> Self:
        """Read an index from a file.

        Parameters
        ----------
        path : path-like
        mmap : bool
            Map the file instead of reading it: immediate at any size, shared
            between processes, and without checking its sections' CRCs. The
            file must not change meanwhile.
        encoder : str, optional
            Fingerprint that the index must have.

        Raises
        ------
        FormatError
            If the file is not an index, or is truncated or damaged.
        EncoderMismatchError
            If the codes were made by another encoder.
        """
        name = as_path(path)
        with open_file(path) as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise FormatError(f"{name}: the file is empty")
            mapped = _mmap.mmap(file.fileno(), 0, access=_mmap.ACCESS_READ)
        # The map is opened first: it refuses what is no index before it is read.
        index = cls._read(name, mapped, encoder, verify=False)
        return index if mmap else cls._read(name, _aligned_copy(mapped), encoder, verify=True)

    @classmethod
    def _read(cls, name: str, source: Any, encoder: str | None, verify: bool) -> Self:
        """Open the aligned bytes of a file, which the index keeps."""
        try:
            native, raw = _native.NativeIndex.open(source, verify)
            fingerprint = raw.decode("ascii") or None
        except (FormatError, UnicodeDecodeError) as error:
            raise FormatError(f"{name}: {error}") from None
        if encoder is not None and fingerprint != encoder:
            raise EncoderMismatchError(
                f"{name}: its codes are of encoder {fingerprint}, expected {encoder}"
            )
        return cls._of(native, fingerprint)

    def to_bytes(self) -> bytes:
        """Return what :meth:`save` writes.

        Examples
        --------
        >>> import numpy as np, hashret
        >>> index = hashret.Index(bits=8)
        >>> _ = index.add(np.array([[0], [1]], dtype=np.uint8), ids=[5, 7])
        >>> hashret.Index.from_bytes(index.to_bytes()).ids
        array([5, 7])
        """
        file = io.BytesIO()
        self._write(file.write)
        return file.getvalue()

    def _write(self, write: Callable[[memoryview], object]) -> None:
        """Write the file's pieces, after sorting and merging what is new, which can take long."""
        cancel = _native.Cancel()
        fingerprint = (self._encoder or "").encode("ascii")
        run_aside(partial(self._native.write, fingerprint, write, cancel), len(self), cancel)

    @classmethod
    def from_bytes(
        cls, data: bytes | bytearray | memoryview, *, encoder: str | None = None
    ) -> Self:
        """Read an index from the bytes of :meth:`to_bytes`, or of a file; they are copied.

        Parameters
        ----------
        data : bytes-like
        encoder : str, optional
            Fingerprint that the index must have.

        Raises
        ------
        DTypeError
            If `data` is not bytes.
        FormatError, EncoderMismatchError
            As for :meth:`load`.
        """
        return cls._read("data", _aligned_copy(as_bytes("data", data)), encoder, verify=True)


def _write_all(file: BinaryIO, data: bytes) -> None:
    if isinstance(file, io.TextIOBase):
        raise DTypeError("path: expected a file that takes bytes, got one that takes text")
    rest = memoryview(data)
    while rest:
        taken = file.write(rest)
        if isinstance(file, io.RawIOBase) and not taken:
            raise BlockingIOError(errno.EAGAIN, "the file takes no more bytes now")
        # A raw file says how much of it it took; others take all, and some say nothing.
        rest = rest[taken or len(rest) :]


def _aligned_copy(source: Any) -> npt.NDArray[np.uint8]:
    raw = np.empty(len(source) + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    copy = raw[start : start + len(source)]
    copy[:] = source if isinstance(source, np.ndarray) else np.frombuffer(source, np.uint8)
    return copy
