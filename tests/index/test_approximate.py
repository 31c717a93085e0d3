"""Kind "approximate": lists that reach a wanted recall, and what else an index does."""

from __future__ import annotations

import copy
import pickle
import struct

import numpy as np
import oracle
import pytest
from index_files import sealed

import hashret
from hashret import FormatError, ParameterError, _native

BITS, N, ASKED = 256, 20_000, 2000


def clusters(rng, n, bits, per=200, noise=0.12):
    """Codes around centres, with neighbours near and far."""
    centres = rng.integers(0, 2, (max(n // per, 1), bits), np.uint8)
    share = rng.choice([noise / 8, noise, noise, 2 * noise], n)[:, None]
    flips = rng.random((n, bits), np.float32) < share
    return np.packbits(centres[rng.integers(0, len(centres), n)] ^ flips, axis=1)


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(5)
    codes = clusters(rng, N + ASKED, BITS)
    return codes[ASKED:], codes[:ASKED]


@pytest.fixture(scope="module")
def filled(made):
    index = hashret.Index(BITS, "approximate", recall=0.9)
    index.add(made[0])
    index.tuning()
    return index


@pytest.fixture(scope="module")
def exact(made):
    index = hashret.Index(BITS, "scan")
    index.add(made[0])
    return index


def one_by_one(index, queries, k, **options):
    """A batch may be compared with all codes, which hides what lists miss."""
    parts = [index.search(queries[i : i + 8], k, **options) for i in range(0, len(queries), 8)]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def recall(found, wanted):
    return float((found <= wanted[:, -1:]).mean())


@pytest.fixture(scope="module")
def spread():
    """Codes without clusters, signs of projections from few dimensions, and queries like them.

    The neighbours of a code are in several lists: in how many that it looks into is what it finds.
    """
    rng = np.random.default_rng(5)
    points = rng.standard_normal((N + ASKED, 8), np.float32)
    codes = np.packbits(points @ rng.standard_normal((8, BITS), np.float32) > 0, axis=1)
    exact = hashret.Index(BITS, "scan")
    exact.add(codes[ASKED:])
    return codes[ASKED:], codes[:ASKED], exact


@pytest.mark.parametrize("wanted", [0.8, 0.98])
def test_new_queries_find_what_is_wanted_and_no_more(spread, wanted):
    codes, queries, exact = spread
    index = hashret.Index(BITS, "approximate", recall=wanted)
    index.add(codes)
    for k in (1, 10, 100):
        told = index.tuning(k)
        assert (told.k, told.wanted) == (k, wanted)
        assert 2000 <= told.queries <= 5000
        assert not told.exact
        assert told.low < told.measured < told.high
        assert told.high - told.low < 0.05
        assert wanted <= told.measured < wanted + 0.02
        found = recall(one_by_one(index, queries, k)[0], exact.search(queries, k)[0])
        # What the queries of either side are off by, each with an interval of its own.
        assert abs(found - told.measured) < told.high - told.low
        assert index.explain(queries[:1], k).way == "lists"
    assert index.stats()["bytes_per_code"] < 1.5 * BITS / 8
    # From outside: codes of the index ask, and leave themselves out.
    asking = codes[::10]
    shares = one_by_one(index, asking, 10)[0][:, 1:] <= exact.search(asking, 10)[0][:, -1:]
    told = index.tuning(10)
    assert told.low - 0.01 < shares.mean() < told.high + 0.01


def test_answers_are_ordered_and_true(made, filled):
    distances, ids = filled.search(made[1][:50], 20)
    codes = made[0][ids.ravel()].reshape(50, 20, -1)
    true = np.bitwise_count(codes ^ made[1][:50, None]).sum(axis=-1)
    np.testing.assert_array_equal(distances, true)
    for row, names in zip(distances, ids, strict=True):
        np.testing.assert_array_equal(np.lexsort((names, row)), np.arange(20))
        assert len(set(names.tolist())) == 20


def test_threads_and_batches_do_not_change_answers(made, filled, monkeypatch):
    monkeypatch.setattr("hashret.index.schedule.PARALLEL_WORDS", 1)
    few = made[1][:8]
    wanted = filled.search(few, 10, threads=1)
    for threads in (2, 3):
        for got, want in zip(filled.search(few, 10, threads=threads), wanted, strict=True):
            np.testing.assert_array_equal(got, want)
    for i in range(8):
        np.testing.assert_array_equal(filled.search(few[i : i + 1], 10)[1][0], wanted[1][i])


def test_within_a_radius(made, filled, exact):
    found = wanted = 0
    for i in range(0, 800, 8):
        lims, distances, ids = filled.range_search(made[1][i : i + 8], 40)
        all_lims, _, all_ids = exact.range_search(made[1][i : i + 8], 40)
        found, wanted = found + len(ids), wanted + len(all_ids)
        assert (distances <= 40).all()
        for a, b, c, d in zip(lims, lims[1:], all_lims, all_lims[1:], strict=False):
            assert set(ids[a:b].tolist()) <= set(all_ids[c:d].tolist())
    assert wanted > 1000
    assert found > 0.85 * wanted
    # Farther than the neighbours that were measured all codes are compared.
    for got, want in zip(
        filled.range_search(made[1][:3], 120), exact.range_search(made[1][:3], 120), strict=True
    ):
        np.testing.assert_array_equal(got, want)


def test_filters(made, filled, exact):
    queries = made[1][:200]
    rng = np.random.default_rng(1)
    for share in (0.5, 0.05, 0.001):
        allowed = np.flatnonzero(rng.random(N) < share)
        for given in (allowed, np.isin(np.arange(N), allowed), filled.filter(allowed)):
            distances, ids = one_by_one(filled, queries, 10, filter=given)
            assert np.isin(ids, allowed).all()
            wanted = exact.search(queries, 10, filter=allowed)[0]
            assert recall(distances, wanted) > 0.88
    assert filled.explain(queries[:1], 10, filter=np.arange(N // 2)).way == "lists"
    assert filled.explain(queries[:1], 10, filter=np.arange(0, N, 150)).exact


def test_all_that_is_asked_for_is_found_if_it_is_there(made, filled):
    ids = filled.search(made[1][:2], 500)[1]
    assert (ids >= 0).all()
    allowed = np.arange(0, N, 40)
    ids = filled.search(made[1][:1], 600, filter=filled.filter(allowed))[1][0]
    np.testing.assert_array_equal(np.sort(ids[:500]), allowed)
    assert (ids[500:] == -1).all()


def test_changes_are_seen_at_once(made):
    index = hashret.Index(BITS, "approximate", recall=0.9)
    index.add(made[0])
    lists = index.tuning().lists
    new = index.add(made[1][:100])
    for code, id in zip(made[1][:100], new, strict=True):
        distances, ids = index.search(code[None], 1)
        assert (distances[0, 0], ids[0, 0]) == (0, id)
    index.remove(new[:50])
    assert not np.isin(one_by_one(index, made[1][:50], 5)[1], new[:50]).any()
    index.update(made[1][200:210], np.arange(10))
    assert (index.search(made[1][200:210], 1)[1][:, 0] == np.arange(10)).all()
    assert index.tuning().lists == lists  # so few are compared beside the lists
    index.add(made[1][300:] ^ 0xFF)  # a cluster of their own
    assert index.tuning().lists > lists  # and grown by so many it is tuned again
    left = index.ids
    index.remove(left[left % 3 > 0])
    assert len(index) == (left % 3 == 0).sum()
    answer = index.search(made[1][:20], 3)[1]
    assert np.isin(answer, left[left % 3 == 0]).all()


@pytest.mark.parametrize(
    "again",
    [
        lambda index, path: hashret.Index.load(path),
        lambda index, path: hashret.Index.load(path, mmap=True),
        lambda index, path: pickle.loads(pickle.dumps(index)),
    ],
)
def test_a_file_has_what_was_learned(made, filled, tmp_path, again):
    filled.save(tmp_path / "index.hri")
    other = again(filled, tmp_path / "index.hri")
    assert (other.kind, other.recall) == ("approximate", 0.9)
    assert other.tuning(10) == filled.tuning(10)
    assert other.to_bytes() == filled.to_bytes()
    for got, want in zip(other.search(made[1][:9], 7), filled.search(made[1][:9], 7), strict=True):
        np.testing.assert_array_equal(got, want)
    other.add(made[1][:10])
    assert other.search(made[1][:1], 1)[0][0, 0] == 0


def test_a_copy_learns_the_same(made, filled):
    other = copy.copy(filled)
    assert other.tuning(10) == filled.tuning(10)


@pytest.mark.parametrize(
    ("at", "number"),
    [
        (0, 0),  # no lists
        (0, 2**31),
        (0, 5),  # less than there are
        (64 + 4, 2**20),  # a dial that no tuning sets
        (64 + 8, 1_000_001),  # a recall above 1
        (-64, 2**32 - 1),  # a list that ends behind the last entry
    ],
)
def test_damaged_lists_are_refused(filled, at, number):
    data = bytearray(filled.to_bytes())
    tag, _, offset, size, _ = struct.unpack_from("<IIQQQ", data, 128 + 64)
    assert tag == 5
    struct.pack_into("<I", data, offset + (at if at >= 0 else size + at), number)
    with pytest.raises(FormatError, match="the lists are damaged"):
        hashret.Index.from_bytes(sealed(data))


@pytest.mark.parametrize("recall", [0, 1_000_001])
def test_a_recall_that_cannot_be_is_refused(filled, recall):
    data = bytearray(filled.to_bytes())
    struct.pack_into("<I", data, 120, recall)
    with pytest.raises(FormatError, match="impossible recall"):
        hashret.Index.from_bytes(sealed(data))


def test_pairs_and_duplicates(rng):
    codes = clusters(rng, 17_000, 64, per=17, noise=0.02)
    index = hashret.Index(64, "approximate", recall=0.99)
    index.add(codes)
    assert not index.tuning().exact
    auto = hashret.Index(64)
    auto.add(codes)
    assert [g.tolist() for g in index.duplicates(1)] == [g.tolist() for g in auto.duplicates(1)]
    found = set(zip(*(part.tolist() for part in index.pairs(2)[:2]), strict=True))
    wanted = set(zip(*(part.tolist() for part in auto.pairs(2)[:2]), strict=True))
    assert found <= wanted
    assert len(found) > 0.97 * len(wanted) > 1000
    ids, distances, neighbors = index.neighbor_graph(3)
    assert (neighbors != ids[:, None]).all()
    assert recall(distances, auto.neighbor_graph(3)[1]) > 0.97


def test_collapsed_codes_are_found_once_compared(rng):
    codes = rng.integers(0, 256, (200, 32), np.uint8)[rng.integers(0, 200, 30_000)]
    index = hashret.Index(BITS, "approximate")
    index.add(codes)
    assert index.tuning().exact
    assert "fewer than 8,193 codes differ" in index.tuning().reason
    scan = hashret.Index(BITS, "scan")
    scan.add(codes)
    for got, want in zip(index.search(codes[:20], 30), scan.search(codes[:20], 30), strict=True):
        np.testing.assert_array_equal(got, want)


def test_shared_codes_in_lists(rng):
    """Half of the codes are copies: equal ones are one entry of a list."""
    codes = np.repeat(clusters(rng, 9000, BITS), 3, axis=0)[rng.permutation(27_000)]
    index = hashret.Index(BITS, "approximate", recall=0.95)
    index.add(codes)
    assert not index.tuning(3).exact
    distances, ids = index.search(codes[:8], 3)
    assert (distances == 0).all()
    for query, row in zip(codes[:8], ids, strict=True):
        np.testing.assert_array_equal(row, np.flatnonzero((codes == query).all(axis=1))[:3])


def test_few_codes_are_compared_one_by_one(rng):
    codes = oracle.random_codes(rng, 300, BITS)
    index = hashret.Index(BITS, "approximate")
    index.add(codes)
    told = index.tuning(5)
    assert (told.measured, told.low, told.high, told.exact) == (1.0, 1.0, 1.0, True)
    assert told.reason == "lists are made and tuned from 16,385 codes on, there are 300"
    shown = index.explain(codes[:1], 5)
    assert (shown.way, shown.exact) == ("scan", True)
    assert told.reason in shown.reason
    for got, want in zip(
        index.search(codes[:9], 5), oracle.search(codes[:9], codes, np.arange(300), 5), strict=True
    ):
        np.testing.assert_array_equal(got, want)


def test_a_recall_of_one_compares_all(made, exact):
    index = hashret.Index(BITS, "approximate", recall=1.0)
    index.add(made[0])
    assert index.tuning().reason == "a recall of 1 is wanted"
    for got, want in zip(index.search(made[1][:9], 5), exact.search(made[1][:9], 5), strict=True):
        np.testing.assert_array_equal(got, want)


def test_codes_without_neighbours_are_compared_one_by_one(rng):
    codes = oracle.random_codes(rng, 17_000, BITS)
    index = hashret.Index(BITS, "approximate", recall=0.99)
    index.add(codes)
    assert index.tuning().exact
    assert "lists would not cost less" in index.tuning().reason
    assert index.explain(codes[:1], 10).way == "scan"


def test_more_neighbours_than_were_measured_are_found_by_a_scan(made, filled, exact):
    assert filled.tuning(5000).exact
    for got, want in zip(
        filled.search(made[1][:2], 5000), exact.search(made[1][:2], 5000), strict=True
    ):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("recall", [0, -0.1, 1.01, float("nan"), float("inf")])
def test_recall_out_of_range(recall):
    with pytest.raises(ParameterError, match="recall: expected"):
        hashret.Index(BITS, "approximate", recall=recall)


def test_bad_arguments():
    with pytest.raises(hashret.DTypeError, match="recall: expected"):
        hashret.Index(BITS, "approximate", recall="high")
    with pytest.raises(ParameterError, match="recall: only for kind 'approximate'"):
        hashret.Index(BITS, "auto", recall=0.9)
    with pytest.raises(ParameterError, match="radius: kind 'approximate' has no tables"):
        hashret.Index(BITS, "approximate", radius=31)
    with pytest.raises(ParameterError, match="tables: kind 'approximate' has none"):
        hashret.Index(BITS, "approximate", tables=4)
    with pytest.raises(ParameterError, match="probes: only kind 'lsh'"):
        hashret.Index(BITS, "approximate").search(np.zeros((1, 32), np.uint8), 1, probes=2)
    with pytest.raises(ParameterError, match="tuning: only kind 'approximate'"):
        hashret.Index(BITS).tuning()


def test_defaults():
    index = hashret.Index(BITS, "approximate")
    assert index.recall == 0.95
    assert hashret.Index(BITS).recall is None
    assert repr(index) == "<hashret.Index approximate, 256 bits, recall=0.95, 0 codes>"
    assert index.search(np.zeros((1, 32), np.uint8), 1)[1][0, 0] == -1


def test_a_sort_that_is_cancelled_leaves_the_index_as_it_is(made):
    index = hashret.Index(BITS, "approximate")
    index.add(made[0])
    cancel = _native.Cancel()
    cancel.set()
    with pytest.raises(KeyboardInterrupt):
        index._native.make_ready(cancel)
    assert index.search(made[0][:1], 1)[1][0, 0] == 0


def test_removed_codes_do_not_stand_in_the_way_of_others():
    rng = np.random.default_rng(5)
    codes = clusters(rng, 20_200, 128, per=100, noise=0.08)
    codes, queries = codes[:20_000], codes[20_000:]
    index = hashret.Index(128, "approximate", recall=0.9)
    index.add(codes)
    index.compact()
    told = index.tuning(100).measured
    # Not so many that codes are sorted anew.
    gone = rng.choice(len(codes), 4_700, replace=False)
    index.remove(gone)
    exact = hashret.Index(128, "scan")
    kept = np.setdiff1d(np.arange(len(codes)), gone)
    exact.add(codes[kept], kept)
    wanted = exact.search(queries, 100)[0]
    assert recall(one_by_one(index, queries, 100)[0], wanted) > told - 0.03
