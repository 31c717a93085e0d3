"""Balanced clusters, against an assignment that is written out."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from hypothesis import given
from hypothesis import strategies as st

from hashret.errors import CodeError, DTypeError, ParameterError, ShapeError
from hashret.prism import balanced_clusters
from hashret.prism.clusters import _within_room


def one_by_one(distances, room):
    """Every row asks the nearest cluster that has room; the nearest of those who ask get in."""
    labels, free = [None] * len(distances), [room] * distances.shape[1]
    while None in labels:
        asking = {}
        for row, label in enumerate(labels):
            if label is None:
                open_ = [c for c in range(len(free)) if free[c]]
                near = min(open_, key=lambda c: (distances[row, c], c))
                asking.setdefault(near, []).append((distances[row, near], row))
        for cluster, rows in asking.items():
            for _, row in sorted(rows)[: free[cluster]]:
                labels[row] = cluster
            free[cluster] -= min(len(rows), free[cluster])
    return labels


@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 10), st.integers(0, 99))
def test_rows_go_where_there_is_room(rows, clusters, spare, seed):
    # Few values: ties.
    distances = np.random.default_rng(seed).integers(0, 5, (rows, clusters)).astype(float)
    room = -(-rows // clusters) + spare
    assert _within_room(distances, room).tolist() == one_by_one(distances, room)


@pytest.mark.parametrize("count", [1, 7, 40, 200])
def test_no_cluster_takes_more_than_half_again_of_its_share(count):
    rng = np.random.default_rng(count)
    # Most of the vectors are in one heap.
    X = np.concatenate([rng.normal(size=(150, 5)), 40 + rng.normal(size=(50, 5))])
    labels = balanced_clusters(X, count, random_state=0)
    assert labels.dtype == np.int64
    assert labels.min() >= 0
    assert labels.max() < count
    assert np.bincount(labels).max() <= np.ceil(1.5 * len(X) / count)
    np.testing.assert_array_equal(labels, balanced_clusters(X.tolist(), count, random_state=0))


def test_vectors_that_are_all_alike_have_clusters():
    assert np.bincount(balanced_clusters(np.ones((6, 3)), 2, random_state=0)).max() <= 5


@pytest.mark.parametrize(
    ("vectors", "count", "error", "words"),
    [
        (np.ones((3, 2)), 4, ParameterError, "count: expected 1 to 3, the vectors, got 4"),
        (np.ones((3, 2)), 0, ParameterError, "count"),
        (np.ones((3, 2)), 1.5, DTypeError, "count"),
        (np.ones(3), 1, ShapeError, r"expected shape \(n, d\), got \(3,\)"),
        (np.ones((0, 2)), 1, ShapeError, "vectors"),
        (np.array([[np.nan, 1.0]]), 1, CodeError, "vectors: expected finite numbers"),
        (np.array([["a", "b"]]), 1, DTypeError, "vectors: expected numbers"),
    ],
)
def test_unfit_input_is_refused(vectors, count, error, words):
    with pytest.raises(error, match=words):
        balanced_clusters(vectors, count)
