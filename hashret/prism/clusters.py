"""Classes for vectors that have none: clusters of about equal size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..checks import as_array, check_int
from ..errors import CodeError, DTypeError, ParameterError, ShapeError
from ..extras import import_extra
from ..types import Floats

__all__ = ["balanced_clusters"]

# A cluster may have so many times the mean number of vectors.
_ROOM = 1.5
_BATCH = 4096


def balanced_clusters(
    vectors: npt.ArrayLike, count: int, *, random_state: int | None = None
) -> npt.NDArray[np.int64]:
    """Return the number of a cluster for each vector, to be taken for its class.

    Clusters are those of k-means of the directions from the mean of all. None takes more than 1.5
    times its share of the vectors: those that are the nearest to it stay, the others go to the
    next one that has room. For :class:`Prism` where there are no labels: its cells then tell which
    clusters an image may be of.

    Parameters
    ----------
    vectors : array_like of numbers, shape (n, d)
    count : int
        1 to n. Few clusters may stay empty.
    random_state : int, optional
        Of k-means.

    Returns
    -------
    labels : ndarray of int64, shape (n,)
        0 to ``count - 1``.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, CodeError
        If `count` is out of range, or these are no finite vectors.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(90, 8)) + 5 * rng.normal(size=(3, 8))[np.arange(90) % 3]
    >>> np.bincount(balanced_clusters(X, 3, random_state=0))
    array([30, 30, 30])
    """
    points = _directions(vectors)
    if not 1 <= check_int("count", count, 1) <= len(points):
        raise ParameterError(f"count: expected 1 to {len(points)}, the vectors, got {count}")
    cluster = import_extra("sklearn.cluster", "images")
    found = cluster.MiniBatchKMeans(
        count, batch_size=_BATCH, n_init=1, random_state=random_state
    ).fit(points)
    return _within_room(found.transform(points), int(np.ceil(_ROOM * len(points) / count)))


def _directions(vectors: npt.ArrayLike) -> Floats:
    """Return the directions from the mean of all, of length 1 but for what is the mean itself."""
    given = as_array("vectors", vectors)
    if given.dtype.kind not in "fiu":
        raise DTypeError(f"vectors: expected numbers, got dtype {given.dtype}")
    if given.ndim != 2 or not given.size:
        raise ShapeError(f"vectors: expected shape (n, d), got {given.shape}")
    if not np.isfinite(given).all():
        raise CodeError("vectors: expected finite numbers, got NaN or infinity")
    centred = given.astype(np.float64)
    centred -= centred.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    directions: Floats = centred / np.where(lengths > 0, lengths, 1)
    return directions


def _within_room(distances: Floats, room: int) -> npt.NDArray[np.int64]:
    """Give each row the nearest cluster that has room; a cluster takes its nearest first."""
    labels = np.full(len(distances), -1, np.int64)
    free = np.full(distances.shape[1], room)
    while (left := np.flatnonzero(labels < 0)).size:
        wanted = np.where(free > 0, distances[left], np.inf).argmin(axis=1)
        order = np.lexsort((distances[left, wanted], wanted))
        rows, wanted = left[order], wanted[order]
        # How many are before a row among those that want the same.
        before = np.arange(len(rows)) - np.searchsorted(wanted, wanted)
        taken = before < free[wanted]
        labels[rows[taken]] = wanted[taken]
        free -= np.bincount(wanted[taken], minlength=len(free))
    return labels
