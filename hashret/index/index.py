"""Index: nearest neighbours of binary codes by Hamming distance."""

from __future__ import annotations

import copy
import os
from typing import Any, BinaryIO, Literal, Self

import numpy as np
import numpy.typing as npt

from .. import _native
from ..checks import check_ids, check_int, check_k, is_int
from ..codes import as_codes, check_bits
from ..errors import ParameterError, ShapeError
from ..ranking import Rule
from ..types import Codes, Distances, Ids
from .arguments import (
    TABLES_FOR_RADIUS,
    check_exclude,
    check_filter,
    check_fingerprint,
    check_margins,
    check_probes,
    check_range,
    check_recall,
    check_tables,
    check_threads,
)
from .batch import MOST_QUERIES, compact, find_nearest, find_within, open_reader, reader_of
from .explain import Explanation, explain
from .file import read_bytes, read_file, to_bytes, write_file
from .filter import Filter, all_ids, allowed_ids
from .graph import find_groups, find_neighbors, find_pairs
from .ranked import Ranked
from .tuning import Tuning, tuning_of

__all__ = ["Index"]


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

    Added codes are sorted, and merged with others, once enough have come: some
    thousands by the search that finds them, more of them by a thread of the
    index's own, while searches compare what is not sorted yet. Until that is
    over the index takes up to about twice its memory, of kind ``"approximate"``
    three times. The thread is there only while it works. With
    ``HASHRET_THREADS=1`` there is none, and a search may have to sort all codes;
    :meth:`compact` does that at a time of one's choice.

    A forked process has the indexes of its parent, and may change them on its
    own. Only one that another thread was changing at that moment is lost there:
    every use of it raises a :exc:`~hashret.ForkError`.

    Pickling and copying take all codes along; to share an index between
    processes, :meth:`save` it and let each ``load(path, mmap=True)``.

    Parameters
    ----------
    bits : int
        Length of a code, 1 to 4096.
    kind : {"auto", "scan", "mih", "approximate", "lsh"}
        ``"auto"``, ``"scan"`` and ``"mih"`` are exact and give the same answers.
        ``"scan"`` compares every code. ``"mih"`` looks into the buckets of several
        tables until none of the rest can matter: multi-index hashing, sub-linear.
        ``"auto"`` does for each query what costs less on this machine.
        ``"approximate"``, for long codes, groups them into lists around centroids and
        looks only into those near the query: it tunes itself to reach a wanted `recall`
        (see :meth:`tuning`). ``"lsh"`` looks only into the buckets that the query falls
        into: approximate too, with a number of `probes` that you choose.
    tables : int, optional
        For ``"lsh"``: how many equal parts the code is cut into, each with its
        own bucket table of ``bits / tables`` (at most 64) bits. For ``"auto"`` and
        ``"mih"``: into how many substrings the code is cut, at most 8; by default as
        suits the number of codes. Fewer take less memory and more time.
    recall : float, optional
        For ``"approximate"``: what share of the nearest codes a search is to find, above 0
        and at most 1, which compares all codes; by default 0.95.
    radius : int, optional
        For ``"auto"`` and ``"mih"``, in place of `tables`: how far away the codes are
        that most searches will ask for, 0 to ``bits - 1``; 31 of 256 bits for copies by
        PDQ. Tables are made for such searches: more of them than otherwise, and of long
        codes they take less memory. No answer depends on it, only what it costs.
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
        recall: float | None = None,
        radius: int | None = None,
        encoder: str | None = None,
    ) -> None:
        bits = check_bits(bits)
        if not isinstance(kind, str) or kind not in _native.KINDS:
            raise ParameterError(f"kind: expected one of {sorted(_native.KINDS)}, got {kind!r}")
        tables = check_tables(kind, bits, tables, radius)
        wanted = check_recall(kind, recall)
        self._native = _native.NativeIndex(bits, _native.KINDS[kind], tables, wanted)
        self._encoder = check_fingerprint(encoder)

    @classmethod
    def _of(cls, native: _native.NativeIndex, encoder: str | None) -> Self:
        index = cls.__new__(cls)
        index._native, index._encoder = native, encoder
        return index

    @property
    def bits(self) -> int:
        """Length of a code."""
        return self._native.bits

    @property
    def kind(self) -> str:
        """How the index searches."""
        return self._native.kind

    @property
    def tables(self) -> int | None:
        """Number of bucket tables, if it was given."""
        tables = self._native.tables
        return tables if 0 < tables < TABLES_FOR_RADIUS or self.kind == "lsh" else None

    @property
    def radius(self) -> int | None:
        """Radius that the bucket tables are made for, if it was given."""
        tables = self._native.tables
        return tables - TABLES_FOR_RADIUS if self.tables is None and tables else None

    @property
    def recall(self) -> float | None:
        """The recall that is wanted, of kind ``"approximate"``."""
        return self._native.recall / _native.MAX_RECALL or None

    @property
    def encoder(self) -> str | None:
        """Fingerprint of the encoder that made the codes, if it was given."""
        return self._encoder

    @property
    def ids(self) -> Ids:
        """All ids of one moment, ascending: int64 (n,), a copy."""
        return all_ids(self._native)

    def __len__(self) -> int:
        return len(self._native)

    def __contains__(self, id: object) -> bool:
        return is_int(id) and -(2**63) <= int(id) < 2**63 and int(id) in self._native  # type: ignore[call-overload]

    def __repr__(self) -> str:
        tables = f", tables={self.tables}" if self.tables else ""
        radius = f", radius={self.radius}" if self.radius is not None else ""
        recall = f", recall={self.recall:g}" if self.recall else ""
        options = f"{tables}{radius}{recall}"
        return f"<hashret.Index {self.kind}, {self.bits} bits{options}, {len(self)} codes>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_bytes, (self.to_bytes(),), self._added() or None

    def __copy__(self) -> Self:
        with open_reader(self._native, queries=0) as reader:
            made = self._of(reader.copy(), self._encoder)
        vars(made).update(self._added())
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = self.__copy__()
        memo[id(self)] = made
        vars(made).update(copy.deepcopy(self._added(), memo))
        return made

    def _added(self) -> dict[str, Any]:
        """Attributes that a subclass, or a caller, has added."""
        own = ("_native", "_encoder")
        return {name: value for name, value in vars(self).items() if name not in own}

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
        if ids is None:
            new = np.empty(len(packed), np.int64)
            self._native.append(packed, new, len(new))
        else:
            new = check_ids(ids, len(packed))
            self._native.add(packed, new, len(new))
        return new

    def remove(self, ids: npt.ArrayLike) -> None:
        """Remove ids: all of them, or none if one is unknown or repeated.

        Raises
        ------
        IdError
            If an id is unknown or repeated.
        """
        gone = check_ids(ids)
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
        self._native.update(packed, changed, len(packed))

    def compact(self) -> None:
        """Sort and merge all codes now, and let go of what removed ones take.

        No search needs that: what it misses is made within some hundredths of a second, or
        by a thread of the index while codes that are not sorted yet are compared. After this the
        next search is as fast as any. Other threads may search meanwhile; who adds, removes or
        updates waits. Ctrl-C ends it, and what was merged until then stays so.

        Raises
        ------
        MemoryError
            If there is no room; the index is searched as before.

        Examples
        --------
        >>> import numpy as np, hashret
        >>> index = hashret.Index(bits=64)
        >>> ids = index.add(np.random.default_rng(0).integers(0, 256, (300_000, 8), np.uint8))
        >>> index.compact()
        >>> index.explain(index.get([7]), k=1).way
        'mih'
        """
        compact(self._native)

    def get(self, ids: npt.ArrayLike) -> Codes:
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

    def filter(self, allowed: npt.ArrayLike | range) -> Filter:
        """Prepare a filter, for many searches among some of the codes.

        Parameters
        ----------
        allowed : array_like or range
            Ids, or a boolean mask over :attr:`ids`, as for ``filter=`` of :meth:`search`; or
            ``range(start, stop)``: all ids of the index in it.

        Returns
        -------
        filter : Filter
            For ``filter=`` of the searches of this index. Takes 8 bytes an id, a bit for each
            code of the index and, where at most half of them are allowed and it was asked for often
            enough, 4 bytes and a code an id.

        Raises
        ------
        ShapeError, DTypeError
            If it is not one-dimensional, or a mask of another length.
        IdError
            If an id is unknown.
        ParameterError
            If a range has steps.

        Examples
        --------
        >>> import numpy as np, hashret
        >>> index = hashret.Index(bits=8)
        >>> ids = index.add(np.arange(100, dtype=np.uint8)[:, None])
        >>> late = index.filter(range(50, 100))
        >>> late, ~late
        (<Filter: 50 ids of an index of 100>, <Filter: 50 ids of an index of 100>)
        >>> index.search(index.get([3]), k=3, filter=late)[1]
        array([[67, 51, 65]])
        """
        if isinstance(allowed, range):
            ids = all_ids(self._native)
            start, stop = check_range(allowed)
            allowed = ids[np.searchsorted(ids, start) : np.searchsorted(ids, stop)]
        given = check_filter(allowed)
        with open_reader(self._native, given, queries=0) as reader:
            return Filter(self._native, allowed_ids(reader), reader.allowed)

    def ranked(self, rule: Rule) -> Ranked:
        """Return a view of the index that is searched by a ranking rule.

        Parameters
        ----------
        rule : Rule
            Of :mod:`hashret.ranking`.

        Raises
        ------
        ParameterError
            If the rule is for codes of another length, or the index is of a kind that is not
            exact.
        EncoderMismatchError
            If the index was built under another rule.

        Examples
        --------
        >>> import numpy as np, hashret
        >>> from hashret.ranking import WeightedPrefix
        >>> index = hashret.Index(bits=8)
        >>> ids = index.add(np.array([[0b11000000], [0b10000000], [0b11110000]], np.uint8))
        >>> index.ranked(WeightedPrefix(8, prefix_bits=2, weight=4)).search(index.get([0]), k=3)
        (array([[0., 2., 4.]]), array([[0, 2, 1]]))
        """
        return Ranked(self._native, self._encoder, rule)

    def search(
        self,
        queries: npt.ArrayLike,
        k: int,
        *,
        filter: Filter | npt.ArrayLike | None = None,
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
        filter : Filter or array_like, optional
            Search only these: what :meth:`filter` has prepared, for many searches; or ids, or a
            boolean mask over :attr:`ids`, for this one. A mask is one of the
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
        request = self._request(queries, margins, probes)
        threads = None if threads is None else check_threads(threads)
        excluded = None if exclude is None else check_exclude(exclude, request.count)
        with reader_of(self._native, filter, request.count) as reader:
            return find_nearest(reader, request, k, threads, excluded)

    def explain(
        self, query: npt.ArrayLike, k: int, *, filter: Filter | npt.ArrayLike | None = None
    ) -> Explanation:
        """Search for one query on one thread, and tell how.

        Parameters
        ----------
        query : array_like
            One code, uint8 (1, ceil(bits / 8)).
        k : int
            At least 1.
        filter : Filter or array_like, optional
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
        request = self._request(query, None, 1)
        if request.count != 1:
            raise ShapeError(f"query: expected one code, got {request.count}")
        with reader_of(self._native, filter, request.count) as reader:
            return explain(reader, request, k)

    def tuning(self, k: int = 10) -> Tuning:
        """Tell how an index of kind ``"approximate"`` reaches its recall for the k nearest.

        The first search that finds 16,385 codes or more has them grouped and tuned beside, and
        so has one that finds a sixteenth more than there were. Searches do not wait for that,
        unless they are for very many queries: codes that are not in lists are compared with
        each query, which costs time and no recall. This waits for it.

        Parameters
        ----------
        k : int
            At least 1.

        Returns
        -------
        tuning : Tuning
            The recall measured, with its interval.

        Raises
        ------
        ParameterError
            If the index is of another kind.

        Examples
        --------
        >>> import numpy as np, hashret
        >>> index = hashret.Index(bits=256, kind="approximate", recall=0.9)
        >>> _ = index.add(np.zeros((100, 32), dtype=np.uint8))
        >>> index.tuning().reason
        'lists are made and tuned from 16,385 codes on, there are 100'
        """
        if self.kind != "approximate":
            raise ParameterError(f"tuning: only kind 'approximate' has one, this is {self.kind!r}")
        k = check_k(k)
        with open_reader(self._native, queries=MOST_QUERIES) as reader:
            return tuning_of(reader, k)

    def range_search(
        self,
        queries: npt.ArrayLike,
        radius: int,
        *,
        filter: Filter | npt.ArrayLike | None = None,
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
        radius = self._radius(radius)
        request = self._request(queries, margins, probes)
        threads = None if threads is None else check_threads(threads)
        excluded = None if exclude is None else check_exclude(exclude, request.count)
        with reader_of(self._native, filter, request.count) as reader:
            return find_within(reader, request, radius, threads, excluded)

    def _request(
        self, queries: npt.ArrayLike, margins: npt.ArrayLike | None, probes: int
    ) -> _native.Request:
        bits = self._native.bits
        packed = as_codes(queries, bits, "queries")
        scores = None if margins is None else check_margins(margins, len(packed), bits)
        return _native.Request(packed, bits, scores, check_probes(probes, self._native.kind))

    def _radius(self, radius: int) -> int:
        return min(check_int("radius", radius, 0), self._native.bits)

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
        return find_neighbors(self._native, check_k(k), check_threads(threads))

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
        return find_groups(self._native, self._radius(radius), check_threads(threads))

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
        return find_pairs(self._native, self._radius(radius), check_threads(threads))

    def stats(self) -> dict[str, int | float]:
        """Count codes, distinct codes, bytes held, and bytes a code."""
        count, distinct, size = self._native.stats()
        return {
            "count": count,
            "distinct_codes": distinct,
            "bytes": size,
            "bytes_per_code": size / count if count else 0.0,
        }

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
        write_file(path, self._native, self._encoder)

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
        return cls._of(*read_file(path, mmap, encoder))

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
        return to_bytes(self._native, self._encoder)

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
        return cls._of(*read_bytes(data, encoder))
