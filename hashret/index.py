"""Index: nearest neighbours of binary codes by Hamming distance."""

from __future__ import annotations

import mmap as _mmap
import os
import secrets
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _native, _parallel
from .codes import as_codes, check_bits
from .errors import (
    CodeError,
    DTypeError,
    EncoderMismatchError,
    FormatError,
    IdError,
    ParameterError,
    ShapeError,
)

__all__ = ["Index"]

Ids = npt.NDArray[np.int64]
Distances = npt.NDArray[np.int32]

# Below this many 64-bit words compared, starting threads costs more than it gains.
PARALLEL_WORDS = 1 << 23
# A bucket and its candidates cost about as much as comparing this many words.
WORDS_PER_PROBE = 256
ALIGNMENT = 64


class Index:
    """Codes with ids, searched by Hamming distance.

    Any number of threads may search at once; one at a time may change the
    index, and searches then see it before or after the change. The order of
    results is part of the contract: by distance, then by id, whatever the
    instruction set, the thread count or the history of the index.

    Parameters
    ----------
    bits : int
        Length of a code, 1 to 4096.
    kind : {"scan", "lsh"}
        ``"scan"`` compares every code: exact. ``"lsh"`` looks only into the
        buckets that the query falls into: approximate, sub-linear.
    tables : int, optional
        For ``"lsh"``: how many equal parts the code is cut into, each with its
        own bucket table of ``bits / tables`` (at most 64) bits.
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
        kind: str = "scan",
        *,
        tables: int | None = None,
        encoder: str | None = None,
    ) -> None:
        bits = check_bits(bits)
        if kind not in _native.KINDS:
            raise ParameterError(f"kind: expected one of {sorted(_native.KINDS)}, got {kind!r}")
        self._open(
            _native.NativeIndex(bits, _native.KINDS[kind], _check_tables(kind, bits, tables)),
            _check_fingerprint(encoder),
        )

    def _open(self, native: _native.NativeIndex, encoder: str | None) -> None:
        self._native = native
        self._bits, self._kind, self._tables = native.bits, native.kind, native.tables
        self._encoder = encoder
        self._writing = threading.Lock()

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
        """Number of bucket tables, for kind ``"lsh"``."""
        return self._tables or None

    @property
    def encoder(self) -> str | None:
        """Fingerprint of the encoder that made the codes, if it was given."""
        return self._encoder

    @property
    def ids(self) -> Ids:
        """All ids, ascending: int64 (n,), a copy."""
        out = np.empty(len(self), np.int64)
        # Another thread may add between the two calls.
        while (count := self._native.ids(out)) > len(out):
            out = np.empty(count, np.int64)
        return out[:count]

    def __len__(self) -> int:
        return len(self._native)

    def __contains__(self, id: object) -> bool:
        return _is_int(id) and -(2**63) <= int(id) < 2**63 and int(id) in self._native  # type: ignore[call-overload]

    def __repr__(self) -> str:
        tables = f", tables={self.tables}" if self.tables else ""
        return f"<hashret.Index {self.kind}, {self.bits} bits{tables}, {len(self)} codes>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("an Index is not pickled; use save and load")

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
        with self._writing:
            if ids is None:
                first = self._native.next_id()
                if len(packed) > 2**63 - 1 - first:
                    raise IdError(f"ids: none are left after {first - 1}; give them yourself")
                new = np.arange(first, first + len(packed), dtype=np.int64)
            else:
                new = _check_ids(ids, len(packed))
            self._native.add(packed, new, len(packed))
        return new

    def remove(self, ids: npt.ArrayLike) -> None:
        """Remove ids: all of them, or none if one is unknown or repeated.

        Raises
        ------
        IdError
            If an id is unknown or repeated.
        """
        gone = _check_ids(ids)
        with self._writing:
            self._native.remove(gone, len(gone))

    def update(self, codes: npt.ArrayLike, ids: npt.ArrayLike) -> None:
        """Replace the codes of ids that are present: all of them, or none.

        Raises
        ------
        IdError
            If an id is unknown or repeated.
        """
        packed = as_codes(codes, self.bits)
        changed = _check_ids(ids, len(packed))
        with self._writing:
            self._native.update(packed, changed, len(packed))

    def get(self, ids: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Return the packed codes of ids, uint8 (n, ceil(bits / 8)).

        Raises
        ------
        IdError
            If an id is unknown.
        """
        wanted = _check_ids(ids)
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
            Search only these: ids, or a boolean mask over :attr:`ids`.
        threads : int, optional
            At most this many; by default all cores, where that pays.
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
            If the queries or margins do not fit.
        ParameterError
            If `k`, `probes` or `threads` is less than 1.
        IdError
            If `filter` names an unknown id.
        """
        packed = as_codes(queries, self._bits, "queries")
        k = _check_positive("k", k)
        count = len(packed)
        probes = self._check_probes(probes)
        scores = self._check_margins(margins, count)
        parts, here = self._parts(count, probes, threads)
        with _reader(self._native, filter) as reader:
            if here:
                distances, ids = _empty_results((count, k))
                reader.search(
                    _native.Request(packed, count, self._bits, scores, probes), k, distances, ids
                )
                return distances, ids
            divide = _search_rows if count < parts else _search_queries
            return divide(reader, packed, self._bits, scores, probes, k, parts)

    def range_search(
        self,
        queries: npt.ArrayLike,
        radius: int,
        *,
        filter: npt.ArrayLike | None = None,
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
        packed = as_codes(queries, self._bits, "queries")
        radius = min(_check_positive("radius", radius, least=0), self._bits)
        count = len(packed)
        probes = self._check_probes(probes)
        scores = self._check_margins(margins, count)
        parts, here = self._parts(count, probes, threads)
        parts = min(parts, max(count, 1))
        cancel = _native.Cancel()
        with _reader(self._native, filter) as reader:

            def search_part(part: int) -> tuple[Ids, _native.Hits]:
                rows = _share(count, part, parts)
                lims = np.empty(rows.stop - rows.start + 1, np.int64)
                request = _request(packed, self._bits, scores, probes, cancel, rows)
                return lims, reader.range_search(request, radius, lims)

            found = _parallel.run_parts(search_part, parts, cancel, here=here)
        return _join_hits(found)

    def stats(self) -> dict[str, int | float]:
        """Count codes, distinct codes, bytes held, and bytes a code."""
        count, size = len(self), self._native.nbytes()
        return {
            "count": count,
            "distinct_codes": self._native.distinct(),
            "bytes": size,
            "bytes_per_code": size / count if count else 0.0,
        }

    def _parts(self, count: int, probes: int, threads: int | None) -> tuple[int, bool]:
        """How many parts to divide the work into, and whether it is too short for threads."""
        limit = None if threads is None else _check_positive("threads", threads)
        words = count * (
            self._tables * probes * WORDS_PER_PROBE
            if self._kind == "lsh"
            else len(self._native) * ((self._bits + 63) // 64)
        )
        if words < PARALLEL_WORDS:
            return 1, True
        parts = _parallel.available_cores() if limit is None else limit
        # Parts of the rows would each probe all buckets of an LSH index.
        return (min(parts, count) if self._kind == "lsh" else parts), False

    def _check_probes(self, probes: int) -> int:
        probes = _check_positive("probes", probes)
        if probes > 1 and self._kind != "lsh":
            raise ParameterError(
                f"probes: only kind 'lsh' has buckets, this index is {self.kind!r}"
            )
        if probes > 2**20:
            raise ParameterError(f"probes: expected at most {2**20}, got {probes}")
        return probes

    def _check_margins(
        self, margins: npt.ArrayLike | None, count: int
    ) -> npt.NDArray[np.float32] | None:
        if margins is None:
            return None
        array = np.ascontiguousarray(margins, dtype=np.float32)
        if array.shape != (count, self.bits):
            raise ShapeError(f"margins: expected ({count}, {self.bits}), got {array.shape}")
        if not np.isfinite(array).all():
            raise CodeError("margins: expected finite values, got NaN or infinity")
        return array

    # -- files ----------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to a file: complete, or not at all.

        The bytes go to a temporary file beside it, reach the disk, and then
        take the name. The format is described in ``csrc/FORMAT.md``.
        """
        target = Path(path)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            with open(temporary, "xb") as file:
                self._native.write((self._encoder or "").encode("ascii"), file.write)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        mmap: bool = False,
        encoder: str | None = None,
    ) -> Index:
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
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise FormatError(f"{os.fspath(path)}: the file is empty")
            mapped = _mmap.mmap(file.fileno(), 0, access=_mmap.ACCESS_READ)
        try:
            # Opening the map first refuses what is no index before it is read.
            native, raw = _native.NativeIndex.open(mapped, verify=False)
            if not mmap:
                native, raw = _native.NativeIndex.open(_aligned_copy(mapped), verify=True)
            fingerprint = raw.decode("ascii") or None
        except (FormatError, UnicodeDecodeError) as error:
            raise FormatError(f"{os.fspath(path)}: {error}") from None
        if encoder is not None and fingerprint != encoder:
            raise EncoderMismatchError(
                f"{os.fspath(path)}: its codes are of encoder {fingerprint}, expected {encoder}"
            )
        index = cls.__new__(cls)
        index._open(native, fingerprint)
        return index


def _aligned_copy(source: Any) -> npt.NDArray[np.uint8]:
    raw = np.empty(len(source) + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    copy = raw[start : start + len(source)]
    copy[:] = np.frombuffer(source, np.uint8)
    return copy


def _share(count: int, part: int, parts: int) -> slice:
    return slice(part * count // parts, (part + 1) * count // parts)


def _request(
    queries: npt.NDArray[np.uint8],
    bits: int,
    margins: npt.NDArray[np.float32] | None,
    probes: int,
    cancel: _native.Cancel,
    rows: slice,
) -> _native.Request:
    mine = None if margins is None else margins[rows]
    return _native.Request(queries[rows], rows.stop - rows.start, bits, mine, probes, cancel)


def _search_queries(
    reader: _native.Reader,
    queries: npt.NDArray[np.uint8],
    bits: int,
    margins: npt.NDArray[np.float32] | None,
    probes: int,
    k: int,
    parts: int,
) -> tuple[Distances, Ids]:
    """Give each thread a share of the queries."""
    count, cancel = len(queries), _native.Cancel()
    distances, ids = _empty_results((count, k))

    def search_part(part: int) -> None:
        rows = _share(count, part, parts)
        request = _request(queries, bits, margins, probes, cancel, rows)
        reader.search(request, k, distances[rows], ids[rows])

    _parallel.run_parts(search_part, parts, cancel)
    return distances, ids


def _search_rows(
    reader: _native.Reader,
    queries: npt.NDArray[np.uint8],
    bits: int,
    margins: npt.NDArray[np.float32] | None,
    probes: int,
    k: int,
    parts: int,
) -> tuple[Distances, Ids]:
    """Give each thread a share of the codes, and merge what they found."""
    count, cancel = len(queries), _native.Cancel()
    distances, ids = _empty_results((parts, count, k))
    request = _request(queries, bits, margins, probes, cancel, slice(0, count))
    _parallel.run_parts(
        lambda part: reader.search(request, k, distances[part], ids[part], part, parts),
        parts,
        cancel,
    )
    _native.merge(distances, ids, parts, count, k)
    return distances[0], ids[0]


def _empty_results(shape: tuple[int, ...]) -> tuple[Distances, Ids]:
    return np.empty(shape, np.int32), np.empty(shape, np.int64)


def _join_hits(found: list[tuple[Ids, _native.Hits]]) -> tuple[Ids, Distances, Ids]:
    total = sum(len(hits) for _, hits in found)
    distances, ids = _empty_results((total,))
    lims, start = [np.zeros(1, np.int64)], 0
    for part, hits in found:
        stop = start + len(hits)
        hits.copy_to(distances[start:stop], ids[start:stop])
        lims.append(part[1:] + start)
        start = stop
    return np.concatenate(lims), distances, ids


def _reader(native: _native.NativeIndex, filter: npt.ArrayLike | None) -> _native.Reader:
    if filter is None:
        return _native.Reader(native)
    array = np.asarray(filter)
    if array.ndim != 1:
        raise ShapeError(f"filter: expected one dimension, got shape {array.shape}")
    if array.dtype == np.bool_:
        return _native.Reader(native, filter_mask=np.ascontiguousarray(array))
    return _native.Reader(native, filter_ids=_as_int64("filter", array))


def _is_int(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _check_positive(name: str, value: int, least: int = 1) -> int:
    if not _is_int(value):
        raise DTypeError(f"{name}: expected an int, got {type(value).__name__}")
    if value < least:
        raise ParameterError(f"{name}: expected at least {least}, got {value}")
    return int(value)


def _check_tables(kind: str, bits: int, tables: int | None) -> int:
    if kind != "lsh":
        if tables is not None:
            raise ParameterError(f"tables: only kind 'lsh' has tables, got kind {kind!r}")
        return 0
    if tables is None:
        raise ParameterError("tables: expected for kind 'lsh', got None")
    tables = _check_positive("tables", tables)
    if bits % tables or bits // tables > 64:
        raise ParameterError(
            f"tables: expected a divisor of {bits} that leaves at most 64 bits a table, "
            f"got {tables}"
        )
    return tables


def _check_fingerprint(encoder: str | None) -> str | None:
    if encoder is None:
        return None
    if not isinstance(encoder, str):
        raise DTypeError(f"encoder: expected a str, got {type(encoder).__name__}")
    if not 1 <= len(encoder) <= 64 or not encoder.isascii() or "\0" in encoder:
        raise ParameterError(f"encoder: expected 1 to 64 ASCII characters, got {encoder!r}")
    return encoder


def _as_int64(name: str, array: npt.NDArray[Any]) -> Ids:
    if array.size == 0 and array.dtype.kind == "f":
        array = array.astype(np.int64)  # numpy makes [] a float array
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{name}: expected integers, got {array.dtype}")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise IdError(f"{name}: {array.max()} does not fit int64")
    return np.ascontiguousarray(array, dtype=np.int64)


def _check_ids(ids: npt.ArrayLike, count: int | None = None) -> Ids:
    array = np.atleast_1d(np.asarray(ids))
    if array.ndim != 1 or (count is not None and len(array) != count):
        expected = "(n,)" if count is None else f"({count},)"
        raise ShapeError(f"ids: expected shape {expected}, got {array.shape}")
    array = _as_int64("ids", array)
    if (array == -1).any():
        raise IdError("ids: -1 stands for a missing neighbour and cannot be an id")
    return array
