"""Bucket tables: the candidates are those of the oracle, whatever the history."""

from __future__ import annotations

import numpy as np
import oracle
import pytest

import hashret
from hashret import CodeError, ParameterError, ShapeError


def assert_lsh(index, codes, ids, queries, k, tables, probes=1, margins=None):
    found = index.search(queries, k, probes=probes, margins=margins)
    expected = oracle.lsh_search(queries, codes, ids, k, index.bits, tables, probes, margins)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


# Narrow tables are addressed directly, wide ones by hash; 48 / 3 straddles words of 64 / 4.
SHAPES = [(8, 8), (48, 6), (48, 3), (64, 4), (96, 3), (128, 4), (128, 2), (192, 5 - 1), (256, 16)]


@pytest.mark.parametrize(("bits", "tables"), SHAPES)
def test_exact_buckets(isa, rng, bits, tables):
    codes = oracle.skewed_codes(rng, 600, bits, 80)
    codes[::3] = oracle.random_codes(rng, 200, bits)
    ids = rng.permutation(5000)[:600].astype(np.int64)
    index = hashret.Index(bits, "lsh", tables=tables)
    index.add(codes, ids)
    assert_lsh(index, codes, ids, codes[:10], 7, tables)
    assert_lsh(index, codes, ids, oracle.random_codes(rng, 4, bits), 700, tables)


@pytest.mark.parametrize(
    ("bits", "tables", "probes"),
    [
        *((8, 8, 2), (8, 8, 40)),  # more than there are buckets
        *((32, 4, 5), (32, 4, 40), (63, 7, 2), (63, 7, 40), (100, 10, 5), (144, 16, 5)),
    ],
)
def test_probes(rng, bits, tables, probes):
    codes = oracle.random_codes(rng, 300, bits)
    ids = np.arange(300)
    index = hashret.Index(bits, "lsh", tables=tables)
    index.add(codes)
    queries = codes[:4]
    assert_lsh(index, codes, ids, queries, 9, tables, probes)
    margins = rng.normal(size=(4, bits)).astype(np.float32)
    margins[:, ::5] = 0.25  # ties
    assert_lsh(index, codes, ids, queries, 9, tables, probes, margins)


def test_all_probes_find_everything(rng):
    codes = oracle.random_codes(rng, 500, 32)
    index = hashret.Index(32, "lsh", tables=4)
    index.add(codes)
    found = index.search(codes[:5], 500, probes=10_000)
    expected = oracle.search(codes[:5], codes, np.arange(500), 500)
    np.testing.assert_array_equal(found[1], expected[1])


def test_rows_added_after_the_tables_were_built(rng):
    codes = oracle.skewed_codes(rng, 9000, 32, 2000)
    ids = rng.permutation(20_000)[:9000].astype(np.int64)
    index = hashret.Index(32, "lsh", tables=4)
    for start in range(0, 9000, 3000):
        index.add(codes[start : start + 3000], ids[start : start + 3000])
        seen = start + 3000
        assert_lsh(index, codes[:seen], ids[:seen], codes[:3], 20, 4)
    index.remove(ids[:100])
    codes, ids = codes[100:], ids[100:]
    assert_lsh(index, codes, ids, codes[:3], 20, 4)
    codes = codes.copy()
    codes[:200] = oracle.random_codes(rng, 200, 32)
    index.update(codes[:200], ids[:200])
    assert_lsh(index, codes, ids, codes[:3], 20, 4, probes=3)


def test_range_search_stays_among_the_candidates(rng):
    codes = oracle.skewed_codes(rng, 1000, 32, 200)
    index = hashret.Index(32, "lsh", tables=4)
    index.add(codes)
    lims, distances, ids = index.range_search(codes[:6], 9, probes=2)
    for q in range(6):
        all_d, all_ids = oracle.lsh_search(codes[q : q + 1], codes, np.arange(1000), 1000, 32, 4, 2)
        inside = all_d[0] <= 9
        np.testing.assert_array_equal(distances[lims[q] : lims[q + 1]], all_d[0][inside])
        np.testing.assert_array_equal(ids[lims[q] : lims[q + 1]], all_ids[0][inside])


def test_large_groups_are_sorted_like_small_ones(rng):
    codes = oracle.skewed_codes(rng, 20_000, 64, 3)
    index = hashret.Index(64, "lsh", tables=4)
    index.add(codes)
    found = index.search(codes[:2], 30)
    expected = oracle.lsh_search(codes[:2], codes, np.arange(20_000), 30, 64, 4)
    np.testing.assert_array_equal(found[1], expected[1])


def test_saved_and_loaded(rng, tmp_path):
    codes = oracle.skewed_codes(rng, 500, 32, 50)
    index = hashret.Index(32, "lsh", tables=4)
    index.add(codes)
    index.save(tmp_path / "lsh.hri")
    again = hashret.Index.load(tmp_path / "lsh.hri")
    assert (again.kind, again.tables, again.bits) == ("lsh", 4, 32)
    assert_lsh(again, codes, np.arange(500), codes[:5], 10, 4)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"probes": 0}, ParameterError, "probes: expected at least 1"),
        ({"probes": 2**21}, ParameterError, "probes: expected at most"),
        ({"margins": np.zeros((1, 32))}, ShapeError, r"margins: expected \(2, 32\), got \(1, 32\)"),
        ({"margins": np.full((2, 32), np.nan)}, CodeError, "margins: expected finite"),
    ],
)
def test_bad_input(rng, options, error, message):
    codes = oracle.random_codes(rng, 10, 32)
    index = hashret.Index(32, "lsh", tables=4)
    index.add(codes)
    with pytest.raises(error, match=message):
        index.search(codes[:2], 3, **options)
    assert len(index) == 10
