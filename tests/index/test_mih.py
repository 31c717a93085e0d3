"""Multi-index hashing: the answers of the oracle on codes of every shape."""

from __future__ import annotations

import functools

import numpy as np
import oracle
import pytest
import shapes

import hashret

EXACT = ["scan", "mih", "auto"]
BITS = [1, 2, 5, 8, 16, 31, 63, 64, 65, 100, 128, 200, 300, 1024]
SIZES = [0, 1, 2, 7, 9, 100, 1000, 5000]
QUERIES = 5


@functools.cache
def known(shape, n, bits):
    """Codes, ids, queries and the oracle's order of all codes, worked out once."""
    rng = np.random.default_rng([n, bits])
    plain = shape(rng, n, bits)
    codes = shapes.pack(plain).reshape(n, (bits + 7) // 8)
    ids = rng.permutation(2 * n + 3)[:n].astype(np.int64)
    queries = shapes.queries_near(rng, plain, bits, QUERIES)
    return codes, ids, queries, oracle.search(queries, codes, ids, n + 10)


def build(kind, bits, codes, ids, tables=None):
    index = hashret.Index(bits, kind, tables=None if kind == "scan" else tables)
    index.add(codes, ids)
    return index


def within(expected, radius):
    """What of the oracle's order lies within a radius, in CSR form."""
    distances, ids = expected
    inside = (distances <= radius) & (ids != -1)
    lims = np.concatenate([[0], np.cumsum(inside.sum(axis=1))])
    return lims, distances[inside], ids[inside]


def assert_answers(index, queries, expected, ks, radii, what="", **options):
    for k in ks:
        found = index.search(queries, k, **options)
        np.testing.assert_array_equal(found[0], expected[0][:, :k], f"{what} k={k}")
        np.testing.assert_array_equal(found[1], expected[1][:, :k], f"{what} k={k}")
    for radius in radii:
        found = index.range_search(queries, radius, **options)
        for got, want in zip(found, within(expected, radius), strict=True):
            np.testing.assert_array_equal(got, want, f"{what} radius={radius}")


def assert_oracle(index, codes, ids, queries, ks=(1, 10), radii=(3,), **options):
    expected = oracle.search(queries, codes, ids, max(len(ids), *ks))
    assert_answers(index, queries, expected, ks, radii, **options)


@pytest.mark.parametrize("bits", BITS)
def test_exact_on_codes_of_every_shape(isa, bits):
    """Each number of tables comes up for each number of bits."""
    choices = [None, *range(1, min(bits, 8) + 1)]
    turn = 0
    for shape in shapes.SHAPES:
        for n in SIZES:
            # The most codes of every other shape, of the others for the next number of bits.
            if n == 5000 and (BITS.index(bits) + shapes.SHAPES.index(shape)) % 2:
                continue
            codes, ids, queries, expected = known(shape, n, bits)
            for kind in EXACT:
                tables = choices[turn % len(choices)]
                turn += kind != "scan"
                index = build(kind, bits, codes, ids, tables)
                what = f"{shape.__name__} n={n} {kind} tables={tables}"
                ks = (1, 10, n + 3) if n < 5000 else (1, 10, n)
                radii = (0, bits // 8, bits) if n < 5000 else (1, bits // 4)
                assert_answers(index, queries, expected, ks, radii, what)


@pytest.mark.parametrize("tables", [None, *range(1, 9)])
@pytest.mark.parametrize("bits", [64, 129, 300])
def test_every_number_of_tables(isa, bits, tables):
    """Prefixes shorter than substrings, sketches of several words."""
    for shape in (shapes.clustered, shapes.consecutive):
        codes, ids, queries, expected = known(shape, 5000, bits)
        index = build("mih", bits, codes, ids, tables)
        assert_answers(index, queries, expected, (1, 300), (0, bits // 8), shape.__name__)


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("bits", [16, 64, 100])
def test_filters(isa, rng, kind, bits):
    for shape in (shapes.uniform, shapes.clustered, shapes.few_values):
        codes, ids, queries, _ = known(shape, 5000, bits)
        index = build(kind, bits, codes, ids)
        index.search(queries, 1)
        for share in (0.01, 0.5, 1.0, 1 / 5000, 0.0):
            chosen = rng.permutation(5000)[: round(share * 5000)]
            expected = oracle.search(queries, codes[chosen], ids[chosen], 60)
            mask = np.isin(index.ids, ids[chosen])
            assert_answers(index, queries, expected, (1, 60), (), filter=ids[chosen])
            assert_answers(index, queries, expected, (1, 60), (), filter=mask)
            wanted = oracle.range_search(queries, codes[chosen], ids[chosen], bits // 4)
            for got, want in zip(
                index.range_search(queries, bits // 4, filter=mask), wanted, strict=True
            ):
                np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("kind", ["mih", "auto"])
@pytest.mark.parametrize("shape", [shapes.clustered, shapes.few_values, shapes.uniform])
def test_changes_beside_sorted_codes(isa, rng, tmp_path, kind, shape):
    """Few changes stay aside, many are sorted in; a file holds all of them."""
    bits, n = 70, 3000
    codes, ids, queries, _ = known(shape, 5000, bits)
    codes, ids = codes.copy(), ids.copy()
    path = tmp_path / "index.hri"
    build(kind, bits, codes[:n], ids[:n]).save(path)
    index = hashret.Index.load(path)
    live = np.arange(n)
    assert_oracle(index, codes[live], ids[live], queries)
    for turn, share in enumerate((0.02, 0.1, 0.5)):
        count = int(share * n)
        gone = rng.permutation(live)[:count]
        index.remove(ids[gone])
        live = np.setdiff1d(live, gone)
        assert_oracle(index, codes[live], ids[live], queries)
        changed = rng.permutation(live)[:count]
        codes[changed] = codes[rng.permutation(5000)[: len(changed)]]
        index.update(codes[changed], ids[changed])
        assert_oracle(index, codes[live], ids[live], queries)
        back = gone[::2]  # added again, among them ids below all that stayed
        index.add(codes[back], ids[back])
        live = np.union1d(live, back)
        assert_oracle(index, codes[live], ids[live], queries, ks=(1, 10, 4000))
        np.testing.assert_array_equal(index.get(ids[live]), codes[live])
        index.save(path)
        index = hashret.Index.load(path, mmap=turn % 2 == 0)
        assert_oracle(index, codes[live], ids[live], queries)
    index.remove(ids[live])
    assert_oracle(index, codes[:0], ids[:0], queries)
    index.add(codes[:300], ids[:300])
    assert_oracle(index, codes[:300], ids[:300], queries)


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("threads", [1, 3])
def test_batches_of_any_size(monkeypatch, kind, threads):
    """Threads share few queries by codes, where these are scanned, and many by queries."""
    monkeypatch.setattr(hashret.index.schedule, "PARALLEL_WORDS", 0)
    codes, ids, queries, (distances, named) = many_queries()
    index = build(kind, 64, codes, ids)
    for count, k in ((1, 20), (1, 150_000), (2, 400), (31, 400), (33, 20), (40, 20)):
        found = index.search(queries[:count], k, threads=threads)
        np.testing.assert_array_equal(found[0], distances[:count, :k])
        np.testing.assert_array_equal(found[1], named[:count, :k])
    wanted = within((distances, named), 8)
    for got, want in zip(index.range_search(queries, 8, threads=threads), wanted, strict=True):
        np.testing.assert_array_equal(got, want)


def count_starts(monkeypatch):
    """A list that grows with each start of threads for a search from now on."""
    starts, run_parts = [], hashret.index.batch.run_parts
    monkeypatch.setattr(hashret.index.schedule, "PARALLEL_WORDS", 0)
    monkeypatch.setattr(
        hashret.index.batch, "run_parts", lambda *task: starts.append(task) or run_parts(*task)
    )
    return starts


@pytest.mark.parametrize("kind", ["mih", "auto"])
def test_a_look_into_buckets_starts_no_thread(monkeypatch, kind):
    codes, ids, _, _ = many_queries()
    index = build(kind, 64, codes, ids)
    index.compact()
    index.search(codes[:1], 1)
    starts = count_starts(monkeypatch)
    alike = np.sort(ids[(codes == codes[7]).all(1)])
    _, found = index.search(codes[7:8], 1)
    assert found.tolist() == [[alike[0]]]
    lims, distances, found = index.range_search(codes[7:8], 0)
    assert lims.tolist() == [0, len(alike)]
    assert not distances.any()
    np.testing.assert_array_equal(found, alike)
    assert not starts


def test_a_long_probe_is_put_off_to_a_thread_that_can_be_stopped(monkeypatch):
    rng = np.random.default_rng(12)
    codes = rng.integers(0, 256, (150_000, 32), np.uint8)
    query, ids = rng.integers(0, 256, (1, 32), np.uint8), np.arange(150_000)
    scan, index = build("scan", 256, codes, ids), build("mih", 256, codes, ids)
    index.compact()
    wanted = scan.search(query, 100), scan.range_search(query, 110)
    starts = count_starts(monkeypatch)
    for got, want in zip(
        (index.search(query, 100), index.range_search(query, 110)), wanted, strict=True
    ):
        for mine, its in zip(got, want, strict=True):
            np.testing.assert_array_equal(mine, its)
    assert len(starts) == 2


@functools.cache
def many_queries():
    """Enough codes for "auto" to make tables; queries with the order of all."""
    rng = np.random.default_rng(8)
    plain = shapes.clustered(rng, 150_000, 64)
    codes, ids = shapes.pack(plain), rng.permutation(150_000).astype(np.int64)
    queries = shapes.queries_near(rng, plain, 64, 40)
    return codes, ids, queries, oracle.search(queries, codes, ids, 150_000)


@pytest.mark.parametrize("kind", ["mih", "auto"])
def test_more_results_than_are_looked_up_at_once(isa, kind):
    """A k that fills the list of survivors many times over, with ties at every distance."""
    rng = np.random.default_rng(3)
    plain = shapes.clustered(rng, 30_000, 48)
    codes, ids = shapes.pack(plain), rng.permutation(30_000).astype(np.int64)
    queries = shapes.queries_near(rng, plain, 48, 3)
    expected = oracle.search(queries, codes, ids, 30_000)
    index = build(kind, 48, codes, ids)
    assert_answers(index, queries, expected, (1, 31, 1025, 5000, 30_000), (2, 12))


@pytest.mark.parametrize("kind", ["mih", "auto"])
@pytest.mark.parametrize("values", [1, 300])
def test_collapsed_codes_are_ordered_by_id_and_cost_less_than_a_scan(isa, kind, values):
    """60,000 items on few values: each value is compared once, however many have it."""
    rng = np.random.default_rng(values)
    n, bits = 60_000, 64
    codes = oracle.skewed_codes(rng, n, bits, values)
    ids = rng.permutation(2 * n)[:n].astype(np.int64)
    queries = np.concatenate([codes[:3], oracle.random_codes(rng, 2, bits)])
    index = build(kind, bits, codes, ids)
    expected = oracle.search(queries, codes, ids, n)
    assert_answers(index, queries, expected, (1, 10, 1000, n), (0, 20))
    for query in queries:
        told = index.explain(query[None], 10)
        assert told.exact
        assert told.candidates <= 8 * (values // 8 + 1) * (index.tables or 8)
        assert told.candidates < n / 20
    few = rng.permutation(n)[:50]
    expected = oracle.search(queries, codes[few], ids[few], 60)
    assert_answers(index, queries, expected, (1, 60), (), filter=ids[few])


@pytest.mark.parametrize(
    ("bits", "zeros", "distinct"),
    [
        *((13, 0, 9000), (64, 0, 40_000), (64, 20, 50_000), (64, 20, 9000)),
        *((65, 0, 50_000), (200, 70, 50_000), (200, 70, 40_000)),
    ],
)
def test_more_codes_than_are_sorted_at_once(rng, bits, zeros, distinct):
    """Groups by the first bits, where these tell little, where codes repeat, and some are gone."""
    plain = rng.integers(0, 2, (distinct, bits), dtype=np.uint8)
    plain[:, :zeros] = 0
    codes = np.packbits(plain, axis=1)[rng.permutation(50_000) % distinct]
    ids = np.sort(rng.permutation(200_000)[:50_000])
    index = hashret.Index(bits, "mih")
    index.add(codes, ids)
    gone = rng.choice(50_000, 1000, replace=False)
    index.remove(ids[gone])
    left = np.setdiff1d(np.arange(50_000), gone)
    queries = codes[rng.choice(left, 20)]
    assert_oracle(index, codes[left], ids[left], queries, ks=(1, 100), radii=(0, 2))
