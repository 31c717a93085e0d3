"""Measures of ranked lists, in the order in which an index returned them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import DTypeError, ParameterError, ShapeError
from ..types import Bools, Floats
from .histograms import Counts, Exclude, as_excluded, plain_array, relevant_groups
from .labels import match_labels, share_a_label
from .metrics import Denominator, check_denominator, denominator_of


def relevance(
    ids: npt.ArrayLike,
    query_labels: npt.ArrayLike,
    labels: npt.ArrayLike,
    missing: bool = False,
    *,
    exclude: Exclude = None,
) -> Bools:
    """Tell which results of an index are relevant.

    Parameters
    ----------
    ids : array_like of int64, shape (n_queries, k)
        Row numbers of the database in rank order; -1, or masked, where a list is shorter than k.
    query_labels, labels : array_like, shape (n_queries,) or (n_queries, classes), and of n likewise
        As in :func:`hashret.evaluation.distance_histograms`: equal labels, or tables that share
        a class, make an item relevant, and one that is missing makes none.
    missing : bool, default False
        What a missing result counts as. True is the padding of the LSH-against-DSH study, whose
        empty answers score 1; only for comparison with its figures.
    exclude : "self" or array_like of int, shape (n_queries,), optional
        As there. The item is taken out of its query's list, what follows it moves up, and the
        last result is missing: ask the index for one more than is scored.

    Returns
    -------
    relevant : ndarray of bool, shape (n_queries, k)

    Examples
    --------
    >>> relevance([[2, 0, -1]], [5], [5, 6, 5])
    array([[ True,  True, False]])
    >>> relevance([[2, 1, 0]], [5], [5, 6, 5], exclude=[2])
    array([[False,  True, False]])
    """
    array = plain_array(ids, "ids", -1)
    if array.ndim != 2:
        raise ShapeError(f"ids: expected (n_queries, k), got shape {array.shape}")
    if array.dtype.kind not in "iu":
        raise DTypeError(f"ids: expected integers, got {array.dtype}")
    wanted, present = match_labels(query_labels, labels, len(array))
    if array.size and not -1 <= array.min() <= array.max() < len(present):
        raise ParameterError(
            f"ids: expected -1 to {len(present) - 1}, got {array.min()} to {array.max()}"
        )
    excluded = as_excluded(exclude, len(array), len(present))
    if excluded is not None:
        array = _without(array, excluded)
    # So that id -1 reads something, also without a database.
    padded = np.concatenate([present, np.zeros((1, *present.shape[1:]), present.dtype)])
    found = np.empty(array.shape, np.bool_)
    for row, ids_of_query in enumerate(array):
        found[row] = share_a_label(padded[ids_of_query], wanted[row])
    return np.where(array < 0, bool(missing), found)


def _without(ids: Counts, excluded: Counts) -> Counts:
    """Take an id out of each list, and fill the lists up with -1."""
    out = (ids == excluded[:, None]) & (excluded[:, None] >= 0)
    order = np.argsort(out, axis=1, kind="stable")
    moved = np.take_along_axis(ids.astype(np.int64), order, axis=1)
    moved[np.take_along_axis(out, order, axis=1)] = -1
    return moved


def relevant_totals(
    query_labels: npt.ArrayLike, labels: npt.ArrayLike, *, exclude: Exclude = None
) -> Counts:
    """Count the relevant items in the database of each query, R, shape (n_queries,).

    Parameters
    ----------
    query_labels, labels, exclude
        As in :func:`hashret.evaluation.distance_histograms`.

    Examples
    --------
    >>> relevant_totals(["a", "b", None], ["a", "a", None])
    array([2, 0, 0])
    >>> relevant_totals(["a", "b", None], ["a", "a", None], exclude=[0, -1, 2])
    array([1, 0, 0])
    """
    wanted, present = match_labels(query_labels, labels)
    excluded = as_excluded(exclude, len(wanted), len(present))
    totals = np.zeros(len(wanted), np.int64)
    for rows, items in relevant_groups(wanted, present):
        totals[rows] = np.count_nonzero(items)
    if excluded is not None:
        rows = np.flatnonzero(excluded >= 0)
        totals[rows] -= share_a_label(wanted[rows], present[excluded[rows]])
    return totals


def ranked_average_precision(
    relevant: npt.ArrayLike, denominator: Denominator = "hits", totals: npt.ArrayLike | None = None
) -> Floats:
    """Average precision of ranked lists, in the order given.

    Parameters
    ----------
    relevant : array_like of bool, shape (n_queries, k)
        Relevance in rank order, see :func:`relevance`.
    denominator : {"hits", "min", "relevant"}
    totals : array_like of int, shape (n_queries,), optional
        Relevant items in the database, R; needed unless the denominator is ``"hits"``. They
        are at least the hits, unless an item is listed twice, which is refused.

    Returns
    -------
    scores : ndarray of float64, shape (n_queries,)

    Examples
    --------
    >>> ranked_average_precision([[True, False, False]])
    array([1.])
    >>> ranked_average_precision([[True, False, False]], "min", totals=[2])
    array([0.5])
    """
    check_denominator(denominator)
    found = _as_relevance(relevant)
    hits = np.cumsum(found, axis=1)
    sums = np.where(found, hits / np.arange(1, found.shape[1] + 1), 0.0).sum(axis=1)
    if denominator == "hits":
        total = found.sum(axis=1)
    elif totals is None:
        raise ParameterError(f'totals: needed for the denominator "{denominator}"')
    else:
        total = _as_totals(totals, found)
    return sums / denominator_of(denominator, found.sum(axis=1), total, found.shape[1])  # type: ignore[no-any-return]


def ranked_precision(relevant: npt.ArrayLike) -> Floats:
    """Share of relevant results in lists of k, shape (n_queries,)."""
    return _as_relevance(relevant).mean(axis=1)  # type: ignore[no-any-return]


def ranked_recall(relevant: npt.ArrayLike, totals: npt.ArrayLike) -> Floats:
    """Share of each query's `totals` relevant items that its list holds, shape (n_queries,)."""
    found = _as_relevance(relevant)
    return found.sum(axis=1) / np.maximum(_as_totals(totals, found), 1)  # type: ignore[no-any-return]


def _as_relevance(relevant: npt.ArrayLike) -> Bools:
    array = plain_array(relevant, "relevant", False)
    if array.ndim != 2 or not array.shape[1]:
        raise ShapeError(f"relevant: expected (n_queries, k) with k >= 1, got {array.shape}")
    if array.dtype != np.bool_ and array.size:
        raise DTypeError(f"relevant: expected bool, got {array.dtype}")
    return array.astype(np.bool_)


def _as_totals(totals: npt.ArrayLike, found: Bools) -> Counts:
    array = plain_array(totals, "totals")
    if array.shape != (len(found),):
        raise ShapeError(f"totals: expected ({len(found)},), one a query, got shape {array.shape}")
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(f"totals: expected integers, got {array.dtype}")
    if array.min(initial=0) < 0:
        raise ParameterError(f"totals: expected 0 or more, got {array.min()}")
    hits = found.sum(axis=1)
    if (hits > array).any():
        row = int(np.argmax(hits > array))
        raise ParameterError(
            f"totals: expected at least {hits[row]}, the relevant results of query {row}, "
            f"got {array[row]}; is an item among them twice?"
        )
    return array.astype(np.int64)
