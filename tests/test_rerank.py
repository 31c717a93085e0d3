"""Re-ranking: exact against distances worked out one pair at a time."""

from __future__ import annotations

import math
import operator

import numpy as np
import oracle
import pytest

import hashret
from hashret import CodeError, DTypeError, IdError, ParameterError, ShapeError, rerank


def euclidean(a, b):
    return math.dist(a, b)


def cosine(a, b):
    lengths = math.hypot(*a) * math.hypot(*b)
    return 1 - sum(map(operator.mul, a, b)) / lengths if lengths else 1.0


def hamming(a, b):
    return sum(x != y for x, y in zip(a, b, strict=True))


def jaccard(a, b):
    left = {i for i, x in enumerate(a) if x}
    right = {i for i, x in enumerate(b) if x}
    return 1 - len(left & right) / len(left | right) if left | right else 0.0


DISTANCES = {"euclidean": euclidean, "cosine": cosine, "hamming": hamming, "jaccard": jaccard}


def expected(distance, candidates, k):
    """Ids ordered by (distance, id): `distance(query, id)` for each candidate once."""
    distances = np.full((len(candidates), k), np.inf)
    ids = np.full((len(candidates), k), -1)
    for q, row in enumerate(candidates):
        ranked = sorted((distance(q, i), i) for i in set(row) - {-1})[:k]
        for r, (near, i) in enumerate(ranked):
            distances[q, r], ids[q, r] = near, i
    return distances, ids


@pytest.mark.parametrize("metric", sorted(rerank.METRICS))
@pytest.mark.parametrize("dtype", ["f8", "f4", "u1", "i2", "?"])
@pytest.mark.parametrize(("k", "piece"), [(1, 1), (5, 100), (50, 1 << 22)])
def test_order_is_that_of_each_pair(rng, monkeypatch, metric, dtype, k, piece):
    monkeypatch.setattr(rerank, "PIECE", piece)
    # Small whole numbers: ties are frequent and sums exact; zero vectors occur.
    vectors = rng.integers(0, 3, (60, 4)).astype(dtype)
    queries = rng.integers(0, 3, (9, 4)).astype(dtype)
    ids = rng.permutation(1000)[:60].astype(np.int64)
    candidates = rng.choice(np.append(ids, -1), (9, 30))
    candidates[3] = -1
    row = {int(i): r for r, i in enumerate(ids)}

    def distance(q, i):
        pair = [[float(x) for x in array] for array in (queries[q], vectors[row[i]])]
        # A cosine's rounding must not part equal ones.
        return round(DISTANCES[metric](*pair), 12)

    found = rerank.by_vectors(queries, candidates, vectors, k, metric=metric, ids=ids)
    wanted = expected(distance, candidates.tolist(), k)
    assert [a.dtype for a in found] == [np.float64, np.int64]
    np.testing.assert_allclose(found[0], wanted[0], rtol=0, atol=1e-12)
    if metric == "cosine":  # rounding may order two that are equal in theory
        for q, i in zip(*np.nonzero(found[1] != wanted[1]), strict=True):
            assert abs(distance(q, found[1][q, i]) - wanted[0][q, i]) < 1e-12
    else:
        np.testing.assert_array_equal(found[1], wanted[1])


def test_equal_vectors_are_ordered_by_id_wherever_they_stand(rng):
    vectors = np.tile(rng.normal(size=(1, 300)), (64, 1)).astype(np.float32)
    queries = rng.normal(size=(3, 300)).astype(np.float32)
    candidates = np.stack([rng.permutation(64) for _ in range(3)])
    for metric in rerank.METRICS:
        found = rerank.by_vectors(queries, candidates, vectors, 64, metric=metric)
        np.testing.assert_array_equal(found[1], np.tile(np.arange(64), (3, 1)))


def test_ids_of_a_search_go_straight_in(rng):
    vectors = rng.normal(size=(500, 32))
    index = hashret.Index(32)
    index.add(hashret.codes.pack(vectors))
    queries = rng.normal(size=(4, 32))
    _, ids = index.search(hashret.codes.pack(queries), k=600)
    distances, found = rerank.by_vectors(queries, ids, vectors, 10, metric="euclidean")
    exact = np.linalg.norm(queries[:, None] - vectors, axis=-1)
    np.testing.assert_array_equal(found, np.argsort(exact, axis=1)[:, :10])
    np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :10])


@pytest.mark.parametrize("bits", [1, 12, 64, 70])
def test_margins_weigh_the_bits_that_differ(rng, bits):
    codes = oracle.random_codes(rng, 80, bits)
    plain = np.unpackbits(codes, axis=1, count=bits)
    # Eighths: sums are exact, ties and zeros occur.
    margins = rng.integers(-16, 17, (5, bits)) / 8
    ids = rng.permutation(500)[:80].astype(np.int64)
    candidates = rng.choice(np.append(ids, -1), (5, 40))
    row = {int(i): r for r, i in enumerate(ids)}

    def distance(q, i):
        return sum(
            abs(m) for m, bit in zip(margins[q], plain[row[i]], strict=True) if (m > 0) != bit
        )

    found = rerank.by_margins(margins, candidates, codes, 45, ids=ids)
    wanted = expected(distance, candidates.tolist(), 45)
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_array_equal(found[1], wanted[1])
    # The other form of it: the inner product with -1 and 1, descending.
    signed = np.where(plain, 1.0, -1.0)
    for q in range(5):
        there = found[1][q] != -1
        products = [margins[q] @ signed[row[int(i)]] for i in found[1][q][there]]
        np.testing.assert_array_equal(np.abs(margins[q]).sum() - 2 * found[0][q][there], products)


def test_margins_of_one_size_give_the_hamming_distance(rng):
    codes = oracle.random_codes(rng, 200, 48)
    queries = oracle.random_codes(rng, 3, 48)
    margins = np.where(hashret.codes.unpack(queries, 48), 1.0, -1.0)
    found = rerank.by_margins(margins, np.tile(np.arange(200), (3, 1)), codes, 200)
    wanted = oracle.search(queries, codes, np.arange(200), 200)
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_array_equal(found[1], wanted[1])


@pytest.mark.parametrize(("queries", "m", "n"), [(0, 3, 5), (2, 0, 5), (2, 3, 0)])
def test_nothing_to_rank(queries, m, n):
    candidates = np.full((queries, m), -1)
    for found in (
        rerank.by_vectors(np.zeros((queries, 4)), candidates, np.zeros((n, 4)), 2),
        rerank.by_margins(np.zeros((queries, 8)), candidates, np.zeros((n, 1), "u1"), 2),
    ):
        np.testing.assert_array_equal(found[0], np.full((queries, 2), np.inf))
        np.testing.assert_array_equal(found[1], np.full((queries, 2), -1))


NAN = np.array([[0.0, 1.0], [np.nan, 0.0], [1.0, 1.0]])


def test_vectors_that_are_no_candidates_are_not_looked_at():
    found = rerank.by_vectors([[1.0, 1.0]], [[-1, 2, 0]], NAN, 1)
    np.testing.assert_array_equal(found[1], [[2]])


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"queries": [1.0, 2.0]}, ShapeError, "queries: expected two dimensions"),
        ({"queries": [[1.0, 2.0, 3.0]]}, ShapeError, "queries: expected 2 columns like vectors"),
        ({"queries": [[np.nan, 1.0]]}, CodeError, "queries: NaN or infinity in row 0"),
        ({"queries": [["a", "b"]]}, DTypeError, "queries: expected real numbers"),
        ({"candidates": [0, 1]}, ShapeError, r"candidates: expected shape \(1, m\)"),
        ({"candidates": [[0], [1]]}, ShapeError, r"candidates: expected shape \(1, m\)"),
        ({"candidates": [[0.5]]}, DTypeError, "candidates: expected integers"),
        ({"candidates": [[0, 3]]}, IdError, "candidates: unknown id 3"),
        ({"candidates": [[-2]]}, IdError, "candidates: unknown id -2"),
        ({"candidates": [[2, 1]]}, CodeError, "vectors: NaN or infinity in id 1"),
        ({"vectors": np.zeros((0, 2))}, IdError, "candidates: unknown id 0"),
        ({"vectors": np.zeros((3, 2), complex)}, DTypeError, "vectors: expected real numbers"),
        ({"ids": [5, 6, 5]}, IdError, "ids: repeated id 5"),
        ({"ids": [5, 6]}, ShapeError, r"ids: expected shape \(3,\)"),
        ({"ids": [5, 6, 7]}, IdError, "candidates: unknown id 0"),
        ({"k": 0}, ParameterError, "k: expected at least 1"),
        ({"metric": "manhattan"}, ParameterError, "metric: expected one of"),
    ],
)
def test_bad_input(changed, error, message):
    good = {"queries": [[1.0, 1.0]], "candidates": [[0, 2]], "vectors": NAN, "k": 2}
    with pytest.raises(error, match=message):
        rerank.by_vectors(**{**good, **changed})


@pytest.mark.parametrize(
    ("margins", "codes", "error", "message"),
    [
        ([[np.nan] * 8], [[0]], CodeError, "margins: NaN or infinity in row 0"),
        ([[1.0] * 9], [[0]], ShapeError, "codes: expected uint8"),
        ([[1.0] * 7], [[1]], CodeError, "codes: bits past bit 6 must be zero"),
        ([1.0] * 8, [[0]], ShapeError, "margins: expected two dimensions"),
        (np.zeros((1, 0)), np.zeros((1, 0), "u1"), ParameterError, "bits: expected 1 to"),
    ],
)
def test_bad_margins(margins, codes, error, message):
    with pytest.raises(error, match=message):
        rerank.by_margins(margins, [[0]], codes, 1)
