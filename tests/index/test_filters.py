"""Filters change which codes are compared, never the answers among those that are allowed."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import oracle
import pytest
import shapes

import hashret
from hashret import DTypeError, IdError, ParameterError, ShapeError, _native

COUNT = 20_000  # so many codes are sorted and have tables in every kind that has them
EXACT = ["scan", "mih", "auto"]


def build(rng, shape, bits, kind):
    """An index with codes in all segments, removed ones among them; its ids and codes."""
    codes = shapes.pack(shape(rng, COUNT, bits))
    ids = rng.permutation(3 * COUNT)[:COUNT]
    index = hashret.Index(bits, kind, tables=4 if kind == "lsh" else None)
    index.add(codes[200:], ids[200:])
    index.search(codes[:1], 1)
    index.add(codes[:200], ids[:200])
    gone = rng.random(COUNT) < 0.05
    index.remove(ids[gone])
    order = np.argsort(ids[~gone])
    return index, ids[~gone][order], codes[~gone][order]


def assert_found(found, wanted):
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(got, want)


def chosen(rng, count, allowed):
    mask = np.zeros(count, bool)
    mask[rng.permutation(count)[:allowed]] = True
    return mask


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("bits", [64, 200])
@pytest.mark.parametrize("shape", [shapes.uniform, shapes.clustered, shapes.few_values])
def test_any_share_in_every_form(rng, shape, bits, kind):
    index, ids, codes = build(rng, shape, bits, kind)
    queries = codes[rng.integers(0, len(codes), 3)]
    for allowed in (0, 1, 7, 100, 1000, 10_000, len(ids)):
        mask = chosen(rng, len(ids), allowed)
        wanted = oracle.search(queries, codes[mask], ids[mask], 12)
        within = oracle.range_search(queries, codes[mask], ids[mask], bits // 4)
        shuffled = rng.permutation(np.concatenate([ids[mask], ids[mask][:5]]))
        for filter in (mask, shuffled, index.filter(mask), index.filter(shuffled)):
            assert_found(index.search(queries, 12, filter=filter), wanted)
            assert_found(index.range_search(queries, bits // 4, filter=filter), within)
            many = index.search(np.tile(queries, (20, 1)), 12, filter=filter)
            assert_found(many, [np.tile(part, (20, 1)) for part in wanted])


@pytest.mark.parametrize("kind", EXACT)
def test_few_are_compared_and_no_others(rng, kind):
    index, ids, codes = build(rng, shapes.uniform, 64, kind)
    few = ids[rng.permutation(len(ids))[:50]]
    for filter in (few, np.isin(ids, few), index.filter(few)):
        told = index.explain(codes[:1], 5, filter=filter)
        assert told.way == "scan"
        assert told.candidates <= 50 + 3 * 8  # blocks of eight in three places
        assert told.reason == "all codes that the filter allows were compared"


@pytest.mark.parametrize("shape", [shapes.uniform, shapes.few_values])
def test_a_filter_that_is_asked_often_holds_copies(rng, shape):
    codes = shapes.pack(shape(rng, COUNT, 64))
    index = hashret.Index(64, "scan" if shape is shapes.uniform else "auto")
    ids = index.add(codes)
    index.compact()
    mask = chosen(rng, COUNT, COUNT // 8)
    values = len(np.unique(codes[mask], axis=0))
    filter = index.filter(mask)
    compared = [index.explain(codes[:1], 3, filter=filter).candidates for _ in range(2000)]
    assert compared[0] >= len(np.unique(codes, axis=0))
    assert compared[-1] <= min(values, COUNT // 8) + 8
    wanted = oracle.search(codes[:5], codes[mask], ids[mask], 500)
    for threads in (1, 2):
        assert_found(index.search(codes[:5], 500, filter=filter, threads=threads), wanted)
    within = oracle.range_search(codes[:5], codes[mask], ids[mask], 20)
    assert_found(index.range_search(codes[:5], 20, filter=filter), within)


def test_a_mask_given_to_one_search_is_copied_only_where_that_pays_at_once(rng):
    index = hashret.Index(64)
    index.add(rng.integers(0, 256, (COUNT, 8), np.uint8))
    index.compact()

    def compared(allowed, queries):
        mask = chosen(rng, COUNT, allowed)
        with _native.Reader(index._native, mask, queries=queries) as reader:
            return reader.compared

    for queries in (1, 15, 30, 10_000):
        assert compared(COUNT * 2 // 5, queries) == COUNT
    assert compared(COUNT // 5, 15) == COUNT
    assert compared(COUNT // 5, 16) == COUNT // 5
    assert compared(COUNT // 100, 1) == COUNT // 100
    assert compared(0, 1) == COUNT


def test_a_prepared_filter_is_kept_while_codes_are_listed(rng):
    codes = shapes.pack(shapes.few_values(rng, COUNT, 64))  # such are not kept by row as well
    index = hashret.Index(64)
    ids = index.add(codes)
    index.compact()
    filter = index.filter(ids[:50])
    made, before = filter._allowed, index.stats()["bytes"]
    index.search(codes[:1], 2, filter=ids[50:90])
    assert index.stats()["bytes"] == before + 4 * COUNT  # the list
    index.search(codes[:1], 2, filter=filter)
    assert filter._allowed is made


def test_ids_of_a_filter_come_in_order_from_all_places(rng):
    index, ids, _ = build(rng, shapes.uniform, 64, "auto")
    for share in (0.001, 0.3, 1):
        kept = ids[rng.random(len(ids)) < share]
        given = np.concatenate([rng.permutation(kept), kept[:9]])
        np.testing.assert_array_equal(index.filter(given).ids, kept)
        np.testing.assert_array_equal(index.filter(np.isin(ids, kept)).ids, kept)


def test_filters_are_sets(rng):
    index, ids, codes = build(rng, shapes.clustered, 64, "auto")
    a, b = ids[rng.random(len(ids)) < 0.1], ids[rng.random(len(ids)) < 0.3]
    one, other = index.filter(a), index.filter(b)
    combined = {
        "and": (one & other, np.intersect1d(a, b)),
        "or": (one | other, np.union1d(a, b)),
        "without": (one - other, np.setdiff1d(a, b)),
        "not": (~one, np.setdiff1d(ids, a)),
        "range": (index.filter(range(100, 5000)), ids[(ids >= 100) & (ids < 5000)]),
        "nothing": (one & ~one, ids[:0]),
        "everything": (one | ~one, ids),
        "huge": (index.filter(range(-(10**30), 10**30)), ids),
    }
    for name, (filter, wanted) in combined.items():
        np.testing.assert_array_equal(filter.ids, wanted, name)
        mask = np.isin(ids, wanted)
        expected = oracle.search(codes[:2], codes[mask], ids[mask], 9)
        assert_found(index.search(codes[:2], 9, filter=filter), expected)
    assert len(one) == len(a)
    assert repr(one) == f"<Filter: {len(a):,} ids of an index of {len(ids):,}>"


@pytest.mark.parametrize("kind", EXACT)
def test_filters_outlive_changes(rng, kind):
    index, ids, codes = build(rng, shapes.clustered, 64, kind)
    held = dict(zip(ids.tolist(), codes, strict=True))
    filter = index.filter(rng.permutation(ids)[:300])
    for _ in range(4):
        present = np.array(sorted(held))
        gone = rng.permutation(present)[:50]
        index.remove(gone)
        for id in gone.tolist():
            del held[id]
        new = rng.integers(0, 256, (3000, 8), np.uint8)
        held.update(zip(index.add(new).tolist(), new, strict=True))
        changed = rng.permutation(np.intersect1d(filter.ids, sorted(held)))[:20]
        index.update(new[:20], changed)
        held.update(zip(changed.tolist(), new, strict=False))
        left = np.intersect1d(filter.ids, sorted(held))
        expected = oracle.search(new[:3], np.array([held[i] for i in left.tolist()]), left, 400)
        assert_found(index.search(new[:3], 400, filter=filter), expected)


def test_threads_share_a_filter_while_the_index_changes(rng):
    """The codes that are allowed stay; whatever else comes and goes, the answer is the same."""
    index, ids, codes = build(rng, shapes.uniform, 64, "auto")
    few = rng.permutation(len(ids))[:100]
    few.sort()
    filter, queries = index.filter(ids[few]), codes[:4]
    wanted = oracle.search(queries, codes[few], ids[few], 8)

    def search(_):
        return index.search(queries, 8, filter=filter, threads=1)

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(search, i) for i in range(200)]
        for _ in range(20):
            index.remove(index.add(rng.integers(0, 256, (500, 8), np.uint8)))
        for answer in answers:
            assert_found(answer.result(), wanted)


def test_lsh_looks_into_buckets_whatever_is_allowed(rng):
    index, ids, codes = build(rng, shapes.clustered, 64, "lsh")
    mask = chosen(rng, len(ids), 100)
    wanted = oracle.lsh_search(codes[:3], codes[mask], ids[mask], 5, 64, index.tables)
    for filter in (mask, index.filter(mask)):
        assert_found(index.search(codes[:3], 5, filter=filter), wanted)


@pytest.mark.parametrize(
    ("allowed", "error", "message"),
    [
        ([99], IdError, "filter: unknown id 99"),
        ([True], ShapeError, "filter: mask of the wrong length"),
        ([0.5], DTypeError, "filter: expected integers"),
        ([[1]], ShapeError, "filter: expected one dimension"),
        (range(0, 9, 2), ParameterError, "allowed: expected a range without steps"),
    ],
)
def test_bad_input(allowed, error, message):
    index = hashret.Index(8)
    index.add(np.arange(5, dtype=np.uint8)[:, None])
    with pytest.raises(error, match=message):
        index.filter(allowed)


def test_filters_of_other_indexes_are_refused():
    index = hashret.Index(8)
    index.add(np.arange(5, dtype=np.uint8)[:, None])
    other = copy.copy(index)
    filter = index.filter([1, 2])
    with pytest.raises(ParameterError, match="made by another index"):
        other.search(np.zeros((1, 1), np.uint8), 1, filter=filter)
    with pytest.raises(ParameterError, match="made by another index"):
        filter & other.filter([1])
    with pytest.raises(DTypeError, match="expected a Filter, got list"):
        filter & [1]
    with pytest.raises(TypeError):
        pickle.dumps(filter)
    with pytest.raises(ValueError, match="read-only"):
        filter.ids[0] = 3


def test_an_empty_index():
    index = hashret.Index(8)
    filter = index.filter([])
    assert len(filter) == len(~filter) == 0
    assert index.search(np.zeros((1, 1), np.uint8), 2, filter=filter)[1].tolist() == [[-1, -1]]
    index.add(np.zeros((1, 1), np.uint8))
    assert index.search(np.zeros((1, 1), np.uint8), 1, filter=filter)[1].tolist() == [[-1]]
    assert len(~filter) == 1
