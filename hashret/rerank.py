"""Re-ranking: candidates of a search, ordered by a finer distance than that of their codes.

``index.search(queries, k=100)`` gives ids; :func:`by_vectors` orders them by a distance of the
vectors that the codes were made from, :func:`by_margins` by the real values whose signs are the
query's bits. Both compare nothing but the candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .checks import as_int64, as_integers, as_real, check_ids, check_k
from .codes import as_codes, unpack
from .errors import CodeError, IdError, ParameterError, ShapeError
from .types import Floats, Ids

__all__ = ["METRICS", "by_margins", "by_vectors"]

# Distances (q, m) of queries (q, 1, d) to their candidates (q, m, d).
Metric = Callable[[npt.NDArray[Any], npt.NDArray[Any]], Floats]

MISSING = -1
# Numbers gathered at once: 32 MiB of float64.
PIECE = 1 << 22


def by_vectors(
    queries: npt.ArrayLike,
    candidates: npt.ArrayLike,
    vectors: npt.ArrayLike,
    k: int,
    *,
    metric: str = "cosine",
    ids: npt.ArrayLike | None = None,
) -> tuple[Floats, Ids]:
    """Find the k nearest among each query's candidates, by a distance of vectors.

    Parameters
    ----------
    queries : array_like of real numbers or booleans, shape (n_queries, d)
    candidates : array_like of int64, shape (n_queries, m)
        Ids, as :meth:`hashret.Index.search` returns them; -1 is passed over and a repeated id
        counts once.
    vectors : array_like of real numbers or booleans, shape (n, d)
        Only the candidates' rows are read: a memory map will do.
    k : int
        At least 1; may exceed m.
    metric : {"cosine", "euclidean", "hamming", "jaccard"}
        ``"cosine"``: 1 - cosine of the angle, and 1 if a vector is zero. ``"hamming"``: how many
        entries differ. ``"jaccard"``: of the entries that are not zero in either vector, the
        share that is zero in one; 0 if there are none.
    ids : array_like of int64, shape (n,), optional
        Id of each row of `vectors`; by default its number.

    Returns
    -------
    distances : ndarray of float64, shape (n_queries, k)
        Ascending; infinity where there are fewer than k.
    ids : ndarray of int64, shape (n_queries, k)
        Among equal distances ascending; -1 where there are fewer than k.

    Raises
    ------
    ShapeError, DTypeError
        If the arrays do not fit each other.
    CodeError
        If a query's or a candidate's vector has NaN or infinity.
    IdError
        If a candidate is not among `ids`, or `ids` repeat.
    ParameterError
        If `k` is less than 1 or `metric` is unknown.

    Examples
    --------
    >>> vectors = [[1.0, 0.0], [0.0, 1.0], [3.0, 4.0]]
    >>> by_vectors([[1.0, 1.0]], [[0, 2, -1]], vectors, k=3, metric="euclidean")[1]
    array([[ 0,  2, -1]])
    """
    if not isinstance(metric, str) or metric not in METRICS:
        raise ParameterError(f"metric: expected one of {sorted(METRICS)}, got {metric!r}")
    asked, known = _as_vectors(queries, "queries"), _as_vectors(vectors, "vectors")
    if asked.shape[1] != known.shape[1]:
        raise ShapeError(
            f"queries: expected {known.shape[1]} columns like vectors, got {asked.shape[1]}"
        )
    _check_finite(asked, "queries", np.arange(len(asked)))

    def gather(rows: Ids, names: Ids) -> npt.NDArray[Any]:
        found = known[rows]
        _check_finite(found.reshape(-1, found.shape[-1]), "vectors", names.ravel())
        return found

    compare = METRICS[metric]
    wanted = _Candidates(candidates, len(asked), len(known), ids)
    return wanted.nearest(
        check_k(k),
        known.shape[1],
        lambda part, rows, names: compare(asked[part, None], gather(rows, names)),
    )


def by_margins(
    margins: npt.ArrayLike,
    candidates: npt.ArrayLike,
    codes: npt.ArrayLike,
    k: int,
    *,
    ids: npt.ArrayLike | None = None,
) -> tuple[Floats, Ids]:
    """Find the k nearest among each query's candidates, by the query's real values.

    The asymmetric Hamming distance: the sum of ``abs(margin)`` over the bits in which the
    candidate's code differs from the query's. A bit that the query has by a hair weighs little.
    It orders as the inner product of margins and code (as -1 and 1) does, from high to low:
    that is ``sum(abs(margins)) - 2 * distance``. Source: M. Jain, H. Jégou, P. Gros,
    "Asymmetric Hamming embedding: taking the best of our bits for large scale image search",
    ACM Multimedia 2011.

    Parameters
    ----------
    margins : array_like of float, shape (n_queries, bits)
        What an encoder's ``project`` returns; the query's bit is 1 where it is > 0.
    candidates : array_like of int64, shape (n_queries, m)
        As for :func:`by_vectors`.
    codes : array_like of uint8, shape (n, ceil(bits / 8))
        Packed codes, for example ``index.get(index.ids)`` with ``ids=index.ids``.
    k : int
        At least 1; may exceed m.
    ids : array_like of int64, shape (n,), optional
        Id of each row of `codes`; by default its number.

    Returns
    -------
    distances : ndarray of float64, shape (n_queries, k)
    ids : ndarray of int64, shape (n_queries, k)
        Both as :func:`by_vectors` returns them.

    Raises
    ------
    ShapeError, DTypeError, CodeError, IdError, ParameterError
        As for :func:`by_vectors`.

    Examples
    --------
    >>> by_margins([[0.1, -2.0, 3.0, -0.5]], [[0, 1]], [[0b0010_0000], [0b1110_0000]], k=2)
    (array([[0.1, 2. ]]), array([[0, 1]]))
    """
    values = _as_vectors(margins, "margins")
    _check_finite(values, "margins", np.arange(len(values)))
    bits = values.shape[1]
    packed = as_codes(codes, bits)
    weights, signs = np.abs(values.astype(np.float64)), values > 0

    def distances(part: slice, rows: Ids, names: Ids) -> Floats:
        plain = unpack(packed[rows].reshape(-1, packed.shape[1]), bits)
        differ = plain.reshape(*rows.shape, bits) != signs[part, None]
        total: Floats = np.where(differ, weights[part, None], 0.0).sum(axis=-1)
        return total

    wanted = _Candidates(candidates, len(values), len(packed), ids)
    return wanted.nearest(check_k(k), bits, distances)


class _Candidates:
    """Each query's candidates, ascending and once each, with the rows they stand for."""

    def __init__(
        self, candidates: npt.ArrayLike, queries: int, n: int, ids: npt.ArrayLike | None
    ) -> None:
        array = as_integers("candidates", candidates)
        if array.ndim != 2 or len(array) != queries:
            raise ShapeError(f"candidates: expected shape ({queries}, m), got {array.shape}")
        self.ids = np.sort(as_int64("candidates", array), axis=1)
        self.ids[:, 1:][self.ids[:, 1:] == self.ids[:, :-1]] = MISSING
        self.rows = _rows_of(self.ids, n, ids)

    def nearest(
        self, k: int, width: int, distances: Callable[[slice, Ids, Ids], Floats]
    ) -> tuple[Floats, Ids]:
        """Order by (distance, id); `distances` takes queries, rows (q, m) and their ids."""
        count, room = self.ids.shape
        found = np.full((count, k), np.inf), np.full((count, k), MISSING, np.int64)
        there = self.ids != MISSING
        step = max(PIECE // max(room * width, 1), 1)
        for start in range(0, count if there.any() else 0, step):
            part = slice(start, min(start + step, count))
            # Missing ones are compared as whatever is there, so that no row is read in vain.
            some = self.ids[there][0], self.rows[there][0]
            names = np.where(there[part], self.ids[part], some[0])
            rows = np.where(there[part], self.rows[part], some[1])
            compared = np.where(there[part], distances(part, rows, names), np.inf)
            order = np.lexsort((self.ids[part], compared), axis=-1)[:, :k]
            for out, values in zip(found, (compared, self.ids[part]), strict=True):
                out[part, : order.shape[1]] = np.take_along_axis(values, order, axis=1)
        return found


def _rows_of(wanted: Ids, n: int, ids: npt.ArrayLike | None) -> Ids:
    """The row of each id; any row for a missing one."""
    if ids is None:
        known, order = np.arange(n), np.arange(n)
    else:
        given = check_ids(ids, n)
        order = np.argsort(given, kind="stable")
        known = given[order]
        repeated = np.flatnonzero(known[1:] == known[:-1])
        if len(repeated):
            raise IdError(f"ids: repeated id {known[repeated[0]]}")
    at = np.minimum(np.searchsorted(known, wanted), max(n - 1, 0))
    unknown = wanted != (known[at] if n else MISSING)
    unknown &= wanted != MISSING
    if unknown.any():
        raise IdError(f"candidates: unknown id {wanted[unknown][0]}")
    rows: Ids = order[at] if n else at
    return rows


def _as_vectors(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    array = as_real(name, values)
    if array.ndim != 2:
        raise ShapeError(f"{name}: expected two dimensions, got shape {array.shape}")
    return array


def _check_finite(array: npt.NDArray[Any], name: str, names: Ids) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        kind = "id" if name == "vectors" else "row"
        raise CodeError(f"{name}: NaN or infinity in {kind} {names[row]}")


# Sums run along one vector at a time, in the same order for all, so that equal vectors have
# equal distances wherever they stand: a matrix product does not promise that.


def _euclidean(queries: npt.NDArray[Any], found: npt.NDArray[Any]) -> Floats:
    distances: Floats = np.sqrt(np.square(np.subtract(found, queries, dtype=np.float64)).sum(-1))
    return distances


def _cosine(queries: npt.NDArray[Any], found: npt.NDArray[Any]) -> Floats:
    inner = np.multiply(found, queries, dtype=np.float64).sum(axis=-1)
    lengths = _euclidean(np.zeros(1), found) * _euclidean(np.zeros(1), queries)
    distances: Floats = 1.0 - np.divide(
        inner, lengths, out=np.zeros_like(inner), where=lengths > 0
    ).clip(-1.0, 1.0)
    return distances


def _hamming(queries: npt.NDArray[Any], found: npt.NDArray[Any]) -> Floats:
    differ: npt.NDArray[np.bool_] = found != queries
    counts: Floats = differ.sum(axis=-1, dtype=np.float64)
    return counts


def _jaccard(queries: npt.NDArray[Any], found: npt.NDArray[Any]) -> Floats:
    left, right = queries != 0, found != 0
    either, one = (left | right).sum(axis=-1), (left ^ right).sum(axis=-1)
    shares: Floats = one / np.maximum(either, 1)
    return shares


METRICS: dict[str, Metric] = {
    "cosine": _cosine,
    "euclidean": _euclidean,
    "hamming": _hamming,
    "jaccard": _jaccard,
}
