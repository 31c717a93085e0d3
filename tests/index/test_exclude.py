"""Queries that are in the index themselves: the others, in the same order."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
import shapes
from hypothesis import given, settings
from hypothesis import strategies as st

import hashret


def make(kind, codes, ids, bits):
    index = hashret.Index(bits, kind, tables=4 if kind == "lsh" else None)
    index.add(codes, ids)
    return index


def expected(queries, codes, ids, k, excluded):
    rows = [
        oracle.search(query[None], codes[ids != out], ids[ids != out], k)
        for query, out in zip(queries, excluded, strict=True)
    ]
    return [np.concatenate(parts).tolist() for parts in zip(*rows, strict=True)]


def expected_within(queries, codes, ids, radius, excluded):
    rows = [
        oracle.range_search(query[None], codes[ids != out], ids[ids != out], radius)
        for query, out in zip(queries, excluded, strict=True)
    ]
    lims = np.concatenate([[0], np.cumsum([row[0][1] for row in rows])])
    return [lims.tolist(), *(np.concatenate([r[i] for r in rows]).tolist() for i in (1, 2))]


def plain(found):
    return [part.tolist() for part in found]


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(["scan", "mih", "auto"]),
    n=st.integers(1, 60),
    k=st.integers(1, 70),
    radius=st.integers(0, 24),
    filtered=st.booleans(),
)
def test_the_others_are_exact(seed, kind, n, k, radius, filtered):
    rng = np.random.default_rng(seed)
    bits = 24
    codes = oracle.skewed_codes(rng, n, bits, max(n // 3, 1))
    ids = np.sort(rng.choice(1000, n, replace=False))
    index = make(kind, codes, ids, bits)
    queries = codes[rng.integers(0, n, 7)]
    # Its own id, any, one that is not there, none.
    excluded = rng.choice([*ids, 5000, -1], 7)
    allowed = rng.random(n) < 0.5 if filtered else np.ones(n, bool)
    options = {"filter": ids[allowed]} if filtered else {}
    left = codes[allowed], ids[allowed]
    found = index.search(queries, k, exclude=excluded, **options)
    assert plain(found) == expected(queries, *left, k, excluded)
    found = index.range_search(queries, radius, exclude=excluded, **options)
    assert plain(found) == expected_within(queries, *left, radius, excluded)
    assert plain(index.search(codes, k, exclude="self", **options)) == expected(
        codes, *left, k, ids
    )
    assert plain(index.range_search(codes, radius, exclude="self", **options)) == expected_within(
        codes, *left, radius, ids
    )
    ids_of, distances, neighbors = index.neighbor_graph(k)
    assert [distances.tolist(), neighbors.tolist()] == expected(codes, codes, ids, k, ids)
    assert (ids_of == ids).all()


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("kind", ["scan", "mih", "auto", "approximate", "lsh"])
def test_on_many_codes_and_threads(rng, kind, threads):
    """Where queries go through tables, and others on threads."""
    bits, n = 64, 40_000
    codes = shapes.pack(shapes.clustered(rng, n, bits))
    index = make(kind, codes, np.arange(n) + 100, bits)
    rows = rng.choice(n, 50, replace=False)
    probes = {"probes": 4} if kind == "lsh" else {}
    for some in (rows, rows[:1]):
        got = index.search(codes[some], 5, exclude=some + 100, threads=threads, **probes)
        distances, ids = index.search(codes[some], 6, threads=threads, **probes)
        for row, out in enumerate(some + 100):
            keep = [i for i in range(6) if ids[row, i] != out][:5]
            assert got[1][row].tolist() == ids[row, keep].tolist()
            assert got[0][row].tolist() == distances[row, keep].tolist()
            assert out not in got[1][row]


def test_searcher_passes_it_on(rng):
    pytest.importorskip("sklearn", reason="needs the extra 'images'")
    from hashret.encoders import PCAHashing

    vectors = rng.normal(size=(50, 16))
    for options in ({}, {"kind": "lsh", "tables": 2}):
        searcher = hashret.Searcher(PCAHashing(8).fit(vectors), **options)
        ids = searcher.add(vectors)
        for found in (
            searcher.search(vectors, 50, exclude="self")[1],
            searcher.search(vectors, 50, exclude=ids)[1],
        ):
            assert not (found == ids[:, None]).any()
        lims, _, found = searcher.range_search(vectors, 8, exclude="self")
        assert not (found == np.repeat(ids, np.diff(lims))).any()


@pytest.mark.parametrize(
    ("exclude", "error", "message"),
    [
        ("other", hashret.ParameterError, "exclude: expected ids or 'self', got 'other'"),
        ([1, 2], hashret.ShapeError, r"exclude: expected an id a query, \(3,\), got \(2,\)"),
        (1, hashret.ShapeError, "exclude"),
        ([[1], [2], [3]], hashret.ShapeError, "exclude"),
        ([1.0, 2.0, 3.0], hashret.DTypeError, "exclude: expected integers"),
        ([True, False, True], hashret.DTypeError, "exclude: expected integers"),
        (["a", "b", "c"], hashret.DTypeError, "exclude"),
        (np.full(3, 2**63, np.uint64), hashret.IdError, "exclude"),
        ("self", hashret.ShapeError, "exclude: 'self' needs a query for each of 4 codes, got 3"),
    ],
)
def test_what_excludes_nothing_known_is_refused(rng, exclude, error, message):
    codes = oracle.random_codes(rng, 4, 16)
    index = make("auto", codes, np.arange(4), 16)
    for call in (index.search, index.range_search):
        with pytest.raises(error, match=message):
            call(codes[:3], 2, exclude=exclude)


def test_of_an_empty_index():
    index = hashret.Index(8)
    none = np.zeros((0, 1), np.uint8)
    assert index.search(none, 3, exclude="self")[1].shape == (0, 3)
    assert plain(index.range_search(none, 3, exclude="self")) == [[0], [], []]
    one = np.zeros((1, 1), np.uint8)
    assert index.search(one, 2, exclude=[0])[1].tolist() == [[-1, -1]]
