"""The life of an index: what may go in, what comes out, and what changes nothing."""

from __future__ import annotations

import numpy as np
import oracle
import pytest

import hashret
from hashret import CodeError, DTypeError, IdError, ParameterError, ShapeError


def make(rng, n=200, bits=64, **options):
    codes = oracle.random_codes(rng, n, bits)
    index = hashret.Index(bits, **options)
    return codes, index.add(codes), index


def assert_same_search(index, codes, ids, queries, k=20):
    found, expected = index.search(queries, k), oracle.search(queries, codes, ids, k)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_ids_go_on_from_the_largest_ever_added(rng):
    codes, ids, index = make(rng, 3)
    np.testing.assert_array_equal(ids, [0, 1, 2])
    index.remove([2])
    np.testing.assert_array_equal(index.add(codes[:1]), [3])
    index.add(codes[:1], [1000])
    np.testing.assert_array_equal(index.add(codes[:2]), [1001, 1002])
    np.testing.assert_array_equal(index.ids, [0, 1, 3, 1000, 1001, 1002])


def test_any_int64_but_minus_one_is_an_id(rng):
    codes, index = oracle.random_codes(rng, 4, 64), hashret.Index(64)
    ids = np.array([2**63 - 1, -(2**63), -2, 0])
    index.add(codes, ids)
    assert_same_search(index, codes, ids, codes)
    np.testing.assert_array_equal(index.get(ids), codes)
    with pytest.raises(IdError, match="-1"):
        index.add(codes[:1], [-1])
    with pytest.raises(IdError, match="none are left"):
        index.add(codes[:1])


@pytest.mark.parametrize("order", ["ascending", "descending", "random", "interleaved"])
def test_adding_in_any_order_gives_the_same_index(rng, order):
    n = 3000
    codes = oracle.skewed_codes(rng, n, 32, 100)
    ids = np.arange(n) * 3
    if order == "descending":
        ids = ids[::-1].copy()
    elif order == "random":
        rng.shuffle(ids)
    elif order == "interleaved":
        ids = ids.reshape(-1, 3).T.reshape(-1).copy()
    index = hashret.Index(32)
    for start in range(0, n, 250):
        index.add(codes[start : start + 250], ids[start : start + 250])
        seen = start + 250
        assert_same_search(index, codes[:seen], ids[:seen], codes[:3])
    np.testing.assert_array_equal(index.ids, np.sort(ids))


def test_a_large_tail_is_merged(rng):
    n = 12_000
    codes = oracle.random_codes(rng, n, 16)
    ids = rng.permutation(n).astype(np.int64)
    index = hashret.Index(16)
    for start in range(0, n, 1000):
        index.add(codes[start : start + 1000], ids[start : start + 1000])
    assert_same_search(index, codes, ids, codes[:5], k=200)


def test_remove_update_get_contains(rng):
    codes, ids, index = make(rng, 500)
    gone = rng.permutation(500)[:200]
    index.remove(gone)
    kept = np.setdiff1d(ids, gone)
    assert len(index) == 300
    assert gone[0] not in index
    assert kept[0] in index
    assert "0" not in index
    assert_same_search(index, codes[kept], kept, codes[:10])
    fresh = oracle.random_codes(rng, 50, 64)
    index.update(fresh, kept[:50])
    codes[kept[:50]] = fresh
    assert_same_search(index, codes[kept], kept, codes[:10])
    np.testing.assert_array_equal(index.get(kept[::-1]), codes[kept[::-1]])
    index.add(codes[gone], gone)
    assert_same_search(index, codes, ids, codes[:10])
    index.remove(ids)
    assert len(index) == 0
    assert_same_search(index, codes[:0], ids[:0], codes[:2])


@pytest.mark.parametrize("bits", [12, 64, 100])
def test_filters(rng, bits):
    codes = oracle.random_codes(rng, 1000, bits)
    ids = rng.permutation(5000)[:1000].astype(np.int64)
    index = hashret.Index(bits)
    index.add(codes[:700], ids[:700])
    index.add(codes[700:], ids[700:])
    index.remove(ids[::7])
    live = np.ones(1000, bool)
    live[::7] = False
    chosen = live & (rng.random(1000) < 0.1)
    for allowed in (ids[chosen], np.isin(index.ids, ids[chosen])):
        found = index.search(codes[:4], 15, filter=allowed)
        expected = oracle.search(codes[:4], codes[chosen], ids[chosen], 15)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
        within = index.range_search(codes[:4], bits // 2, filter=allowed)
        wanted = oracle.range_search(codes[:4], codes[chosen], ids[chosen], bits // 2)
        for got, want in zip(within, wanted, strict=True):
            np.testing.assert_array_equal(got, want)
    nothing = index.search(codes[:2], 3, filter=[])
    assert (nothing[1] == -1).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda i, c: i.add(c[:, :4]), ShapeError, r"codes: expected uint8 \(n, 8\)"),
        (lambda i, c: i.add(c.astype(np.int32)), DTypeError, "codes: expected uint8"),
        (lambda i, c: i.add(c.astype(np.float64)), DTypeError, "codes: expected uint8"),
        (
            lambda i, c: i.add(c, np.arange(3)),
            ShapeError,
            r"ids: expected shape \(20,\), got \(3,\)",
        ),
        (lambda i, c: i.add(c, np.full(20, 900)), IdError, "ids: repeated id 900"),
        (lambda i, c: i.add(c, np.arange(20) + 15), IdError, "ids: repeated id 1[5-9]"),
        (lambda i, c: i.add(c, np.arange(20) + 0.5), DTypeError, "ids: expected integers"),
        (lambda i, c: i.add(c[:1], np.array([2**63], np.uint64)), IdError, "does not fit int64"),
        (lambda i, c: i.remove([3, 99]), IdError, "ids: unknown id 99"),
        (lambda i, c: i.remove([3, 3]), IdError, "ids: repeated id 3"),
        (lambda i, c: i.update(c[:2], [3, 99]), IdError, "ids: unknown id 99"),
        (lambda i, c: i.update(c[:2], [3, 3]), IdError, "ids: repeated id 3"),
        (lambda i, c: i.update(c[:2], [3]), ShapeError, r"ids: expected shape \(2,\)"),
        (lambda i, c: i.get([99]), IdError, "ids: unknown id 99"),
        (lambda i, c: i.search(c, 0), ParameterError, "k: expected at least 1, got 0"),
        (lambda i, c: i.search(c, -1), ParameterError, "k: expected at least 1, got -1"),
        (lambda i, c: i.search(c, 1.0), DTypeError, "k: expected an int, got float"),
        (lambda i, c: i.search(c, True), DTypeError, "k: expected an int, got bool"),
        (lambda i, c: i.search(c[:, :3], 1), ShapeError, "queries: expected"),
        (lambda i, c: i.search(c[0], 1), ShapeError, "queries: expected"),
        (lambda i, c: i.search(c, 1, threads=0), ParameterError, "threads: expected at least 1"),
        (lambda i, c: i.search(c, 1, probes=2), ParameterError, "probes: only kind 'lsh'"),
        (lambda i, c: i.search(c, 1, filter=[99]), IdError, "filter: unknown id 99"),
        (
            lambda i, c: i.search(c, 1, filter=[True]),
            ShapeError,
            "filter: mask of the wrong length",
        ),
        (lambda i, c: i.search(c, 1, filter=[0.5]), DTypeError, "filter: expected integers"),
        (lambda i, c: i.search(c, 1, filter=[[1]]), ShapeError, "filter: expected one dimension"),
        (lambda i, c: i.range_search(c, -1), ParameterError, "radius: expected at least 0, got -1"),
        (lambda i, c: i.range_search(c, 1.5), DTypeError, "radius: expected an int"),
    ],
)
def test_bad_input_changes_nothing(rng, change, error, message):
    codes, ids, index = make(rng, 20)
    with pytest.raises(error, match=message):
        change(index, codes)
    assert len(index) == 20
    assert_same_search(index, codes, ids, codes[:4])
    np.testing.assert_array_equal(index.add(codes[:1]), [20])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"bits": 0}, ParameterError, "bits: expected 1 to 4096, got 0"),
        ({"bits": 5000}, ParameterError, "bits: expected 1 to 4096, got 5000"),
        ({"bits": "64"}, DTypeError, "bits: expected an int, got str"),
        ({"bits": 64, "kind": "flat"}, ParameterError, "kind: expected one of"),
        ({"bits": 64, "kind": "scan", "tables": 4}, ParameterError, "'scan' has none"),
        ({"bits": 64, "tables": 9}, ParameterError, "tables: expected at most 8 for 64 bits"),
        ({"bits": 4, "kind": "mih", "tables": 5}, ParameterError, "at most 4 for 4 bits"),
        ({"bits": 64, "kind": "mih", "tables": 0}, ParameterError, "expected at least 1"),
        ({"bits": 64, "kind": "lsh"}, ParameterError, "tables: expected for kind 'lsh'"),
        ({"bits": 64, "kind": "lsh", "tables": 5}, ParameterError, "tables: expected a divisor"),
        ({"bits": 128, "kind": "lsh", "tables": 1}, ParameterError, "at most 64 bits a table"),
        ({"bits": 64, "encoder": ""}, ParameterError, "encoder: expected 1 to 64"),
        ({"bits": 64, "encoder": "é"}, ParameterError, "encoder: expected 1 to 64"),
        ({"bits": 64, "encoder": 5}, DTypeError, "encoder: expected a str"),
    ],
)
def test_bad_parameters(arguments, error, message):
    with pytest.raises(error, match=message):
        hashret.Index(**arguments)


def test_trailing_bits_are_refused(rng):
    index = hashret.Index(12)
    with pytest.raises(CodeError, match="bits past bit 11"):
        index.add(np.array([[0, 1]], np.uint8))
    assert len(index) == 0


def test_empty_batches(rng):
    codes, _, index = make(rng, 10)
    assert index.add(codes[:0]).shape == (0,)
    distances, ids = index.search(codes[:0], 5)
    assert distances.shape == ids.shape == (0, 5)
    lims, distances, ids = index.range_search(codes[:0], 5)
    np.testing.assert_array_equal(lims, [0])
    assert distances.shape == ids.shape == (0,)
    index.remove([])
    index.update(codes[:0], [])
    assert index.get([]).shape == (0, 8)
    assert len(index) == 10


def test_words_and_strided_codes_are_accepted(rng):
    codes, ids, index = make(rng, 50)
    words = codes.view(np.uint64)
    twin = hashret.Index(64)
    twin.add(words)
    np.testing.assert_array_equal(twin.get(ids), codes)
    expected = index.search(codes[::5], 4)
    for queries in (words[::5], np.asfortranarray(codes)[::5]):
        found = twin.search(queries, 4)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


def test_stats_and_repr(rng):
    codes = oracle.skewed_codes(rng, 1000, 64, 30)
    index = hashret.Index(64)
    assert index.stats()["distinct_codes"] == 0
    index.add(codes)
    stats = index.stats()
    assert stats["count"] == 1000
    assert stats["distinct_codes"] == len(np.unique(codes, axis=0))
    assert stats["bytes"] == 8000
    assert stats["bytes_per_code"] == 8
    assert repr(index) == "<hashret.Index auto, 64 bits, 1000 codes>"


@pytest.mark.parametrize("n", [1, 7, 8, 9, 64, 1003])
def test_masks_over_an_index_as_it_was_built(rng, n):
    codes, ids, index = make(rng, n)
    for share in (0.0, 0.3, 1.0):
        mask = rng.random(n) < share
        found = index.search(codes[:3], 10, filter=mask)
        expected = oracle.search(codes[:3], codes[mask], ids[mask], 10)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
