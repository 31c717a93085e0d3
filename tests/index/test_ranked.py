"""Searches by a ranking rule equal the oracle's."""

from __future__ import annotations

import functools
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ranking.rules import WEIGHTS, make_queries, make_rule

import hashret
from hashret import _native, codes
from hashret.ranking import ClassAware, FloatQuery, Hamming, WeightedPrefix

BITS = [2, 3, 8, 9, 63, 64, 65, 128, 130, 1024]


def check_search(index, rule, queries, wanted, ids, k, **options):
    found = index.ranked(rule).search(queries, k, **options)
    assert found[0].dtype == np.float64
    assert found[1].dtype == np.int64
    for got, want in zip(found, oracle.ranked_search(wanted, ids, k), strict=True):
        np.testing.assert_array_equal(got, want)


def check_within(index, rule, queries, wanted, ids, radius, **options):
    found = index.ranked(rule).range_search(queries, radius, **options)
    for got, want in zip(found, oracle.ranked_within(wanted, ids, radius), strict=True):
        np.testing.assert_array_equal(got, want)


def draw_codes(rng, n, bits, own):
    """Codes by one of the ways in which they repeat, or their prefixes do."""
    way = rng.integers(0, 4)
    drawn = oracle.random_codes(rng, n, bits)
    if way == 1:
        return oracle.skewed_codes(rng, n, bits, max(n // 10, 1))
    if way >= 2:  # few prefixes
        plain = np.unpackbits(drawn, axis=1, count=bits)
        few = rng.integers(0, 2, (3, own), np.uint8)
        plain[:, :own] = few[rng.integers(0, 3, n)]
        plain[:, own:] &= rng.random((n, bits - own)) < (0.05 if way == 3 else 1)
        drawn = np.packbits(plain, axis=1)
    return drawn


@st.composite
def cases(draw):
    """A random number generator, a rule, and what the oracle is told of it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    bits = draw(st.sampled_from(BITS))
    own = draw(st.sampled_from(sorted({1, bits // 3 or 1, bits // 2, bits - 1, bits})))
    rule, known = make_rule(
        rng,
        bits,
        own,
        draw(st.sampled_from(WEIGHTS)),
        classes=draw(st.sampled_from([0, 0, 1, 4, 70])),
        share=draw(st.sampled_from([0.5, 0.5, 0.0, 0.3, 1.0])),
        floats=draw(st.booleans()),
    )
    return rng, rule, known


@pytest.mark.parametrize("kind", ["mih", "auto", "scan"])
def test_searches_equal_the_oracle(isa, kind):
    @settings(max_examples=25 if kind == "mih" else 10, deadline=None, database=None)
    @given(case=cases(), n=st.sampled_from([0, 1, 8, 70, 300, 700]), filtered=st.booleans())
    def check(case, n, filtered):
        rng, rule, known = case
        queries, plain, known = make_queries(rng, 4, rule, known)
        packed = plain if rule.takes == "codes" else codes.pack(plain)
        database = draw_codes(rng, n, rule.bits, rule.prefix_bits)
        if n and rule.takes == "codes" and rng.random() < 0.5:
            queries = packed = database[rng.integers(0, n, 4)]
        ids = rng.permutation(3 * n + 5)[:n].astype(np.int64)
        index = hashret.Index(rule.bits, kind)
        index.add(database, ids)
        removed = rng.random(n) < rng.choice([0, 0.05])
        index.remove(ids[removed])
        database, ids = database[~removed], ids[~removed]
        # Some are added after the first search has sorted the others.
        index.ranked(rule).search(queries, 1)
        if rng.random() < 0.5:
            database = np.concatenate([database, draw_codes(rng, 30, rule.bits, rule.prefix_bits)])
            ids = np.concatenate([ids, index.add(database[-30:])])
        wanted = oracle.ranked_distances(packed, database, known)
        options = {}
        if filtered:
            kept = rng.random(len(ids)) < rng.choice([0.0, 0.01, 0.3, 0.8])
            allowed = ids[kept]
            options["filter"] = index.filter(allowed) if rng.random() < 0.5 else allowed
            wanted, ids = wanted[:, kept], allowed
        for k in (1, 10, len(ids) + 3):
            check_search(index, rule, queries, wanted, ids, k, **options)
        check_search(index, rule, queries[:1], wanted[:1], ids, 5, **options)
        between = np.median(wanted) if wanted.size else 1.0
        for radius in (0, float(between), math.inf):
            check_within(index, rule, queries, wanted, ids, radius, **options)

    check()


LARGE = 20_000


@functools.cache
def large(collapsed):
    """Codes and queries of 48 bits, 16 of them the prefix."""
    rng = np.random.default_rng(7)
    codes_of = oracle.random_codes(rng, LARGE, 48)
    if collapsed:  # ten classes, some bits of whose prefix are off
        classes = oracle.random_codes(rng, 10, 16)
        flips = np.packbits(rng.random((LARGE, 16)) < 0.02, axis=1)
        codes_of[:, :2] = classes[rng.integers(0, 10, LARGE)] ^ flips
    return codes_of, rng.normal(size=(6, 48)).astype(np.float32)


@pytest.mark.parametrize("collapsed", [False, True])
@pytest.mark.parametrize("weight", [0.5, 4])
def test_large_searches_equal_distances_of_all(isa, collapsed, weight):
    """Against the rule's own distances, which the oracle has been compared with."""
    database, margins = large(collapsed)
    index, ids = hashret.Index(48), np.arange(LARGE)
    index.add(database)
    plain = WeightedPrefix(48, 16, weight)
    aware = ClassAware(48, 16, weight, centres=database[:10, :2])
    for rule in (plain, aware, FloatQuery(plain), FloatQuery(aware), FloatQuery(Hamming(48))):
        queries = rule.queries_of(margins)
        wanted = rule.distances(queries, database)
        check_search(index, rule, queries, wanted, ids, 1000)
        check_search(index, rule, queries, wanted, ids, 10, threads=3)
        check_within(index, rule, queries, wanted, ids, float(np.quantile(wanted, 0.001)))
        kept = np.flatnonzero(np.arange(LARGE) % 3 == 0)
        check_search(index, rule, queries, wanted[:, kept], kept, 10, filter=index.filter(kept))


def test_no_more_is_compared_than_matters():
    """Of some 51,000 prefixes those near the query, where these decide; else each code once."""
    rng = np.random.default_rng(3)
    database = oracle.random_codes(rng, 100_000, 64)
    index = hashret.Index(64, "mih")
    index.add(database)
    compared = {weight: look(index, database[:1], weight) for weight in (1, 64)}
    checked, walked = compared[64]
    assert 1 <= walked < 1000
    assert checked < 2000
    checked, walked = compared[1]
    assert walked < 1000
    assert 100_000 <= checked < 102_000


def look(index, query, weight):
    """How many codes, and prefixes, a search for one query compares."""
    rule = WeightedPrefix(64, 16, weight)
    index.ranked(rule).search(query, 1)
    asked, least, *_ = rule.ask(query)
    with _native.Reader(index._native) as reader:
        request = _native.RankedRequest(asked, 64, least)
        out = np.empty((1, 10)), np.empty((1, 10), np.int64)
        return reader.ranked_search(request, _native.Prefixes(reader, 16), 10, *out)


def test_changes_are_seen():
    rng = np.random.default_rng(5)
    index = hashret.Index(24, "mih")
    ranked = index.ranked(ClassAware(24, 8, 4, centres=oracle.random_codes(rng, 3, 8)))
    known = {"bits": 24, "prefix_bits": 8, "weight": 4.0, "share": 0.5}
    known["centres"] = ranked.rule.centres
    model = {}
    for step in range(40):
        new = draw_codes(rng, int(rng.integers(0, 80)), 24, 8)
        model.update(zip(index.add(new).tolist(), new, strict=True))
        gone = rng.permutation(list(model))[: rng.integers(0, 30)] if model else []
        index.remove(np.array(gone, np.int64))
        for id in gone:
            del model[int(id)]
        moved = rng.permutation(list(model))[:3] if model else np.zeros(0, np.int64)
        changed = draw_codes(rng, len(moved), 24, 8)
        index.update(changed, moved.astype(np.int64))
        model.update(zip(moved.tolist(), changed, strict=True))
        if step == 20:
            index.remove(np.array(list(model), np.int64))
            model = {}
        ids = np.array(sorted(model), np.int64)
        database = np.array([model[id] for id in ids.tolist()], np.uint8).reshape(len(ids), 3)
        queries = draw_codes(rng, 2, 24, 8)
        wanted = oracle.ranked_distances(queries, database, known)
        for got, want in zip(
            ranked.search(queries, 9), oracle.ranked_search(wanted, ids, 9), strict=True
        ):
            np.testing.assert_array_equal(got, want)


def test_threads_share_a_view_while_another_changes_the_index():
    rng = np.random.default_rng(6)
    database = oracle.skewed_codes(rng, 3000, 32, 200)
    index = hashret.Index(32, "mih")
    index.add(database)
    rule = WeightedPrefix(32, 8, 4)
    ranked, queries = index.ranked(rule), oracle.random_codes(rng, 3, 32)
    first = oracle.ranked_search(rule.distances(queries, database), np.arange(3000), 5)
    far = codes.pack(-np.where(codes.unpack(queries[:1], 32), 1, -1))

    def look(_):
        return ranked.search(queries[1:], 5)

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(look, number) for number in range(60)]
        for _ in range(30):
            added = index.add(np.repeat(far, 40, axis=0))
            index.remove(added)
        for one in running:
            found = one.result()
            # What comes and goes is nearer to none of these than what is there.
            np.testing.assert_array_equal(found[0], first[0][1:])
            np.testing.assert_array_equal(found[1], first[1][1:])


def test_results_are_the_same_after_loading(tmp_path):
    database, margins = large(True)
    index = hashret.Index(48)
    index.add(database)
    rule = FloatQuery(WeightedPrefix(48, 16, 4))
    wanted = index.ranked(rule).search(margins, 20)
    index.save(tmp_path / "index.hri")
    for mmap in (False, True):
        again = hashret.Index.load(tmp_path / "index.hri", mmap=mmap)
        for got, want in zip(again.ranked(rule).search(margins, 20), wanted, strict=True):
            np.testing.assert_array_equal(got, want)


def test_exclude_leaves_out_the_query_itself():
    rng = np.random.default_rng(8)
    database = oracle.skewed_codes(rng, 60, 16, 9)
    index = hashret.Index(16)
    index.add(database)
    rule = WeightedPrefix(16, 4, 2)
    everything = rule.distances(database, database)
    np.fill_diagonal(everything, np.inf)
    wanted = oracle.ranked_search(everything, np.arange(60), 5)
    for exclude in ("self", np.arange(60)):
        found = index.ranked(rule).search(database, 5, exclude=exclude)
        for got, want in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("kind", ["mih", "scan"])
def test_no_queries_have_no_answers(kind):
    index = hashret.Index(16, kind)
    rule = WeightedPrefix(16, 8, 1)
    for _ in range(2):
        for one, queries in (
            (rule, np.empty((0, 2), np.uint8)),
            (FloatQuery(rule), np.empty((0, 16))),
        ):
            assert index.ranked(one).search(queries, 3)[0].shape == (0, 3)
            lims, distances, ids = index.ranked(one).range_search(queries, 3)
            assert lims.tolist() == [0]
            assert len(distances) == len(ids) == 0
            assert one.distances(queries, np.zeros((4, 2), np.uint8)).shape == (0, 4)
        index.add(np.zeros((5, 2), np.uint8))


def test_ties_go_by_id():
    index = hashret.Index(16)
    index.add(np.array([[0, 1], [0, 2], [128, 0], [0, 4]], np.uint8), ids=[9, 3, 5, 1])
    distances, ids = index.ranked(WeightedPrefix(16, 8, 1)).search([[0, 0]], k=5)
    np.testing.assert_array_equal(distances, [[1, 1, 1, 1, np.inf]])
    np.testing.assert_array_equal(ids, [[1, 3, 5, 9, -1]])


@pytest.mark.parametrize(
    "ask",
    [
        lambda ranked: ranked.search([[0, 0]], 0),
        lambda ranked: ranked.search([[0, 0]], 1, threads=0),
        lambda ranked: ranked.range_search([[0, 0]], -0.5),
        lambda ranked: ranked.range_search([[0, 0]], math.nan),
        lambda ranked: ranked.range_search([[0, 0]], -math.inf),
        lambda ranked: ranked.range_search([[0, 0]], np.array([1.0, 2.0])),
        lambda ranked: ranked.range_search([[0, 0]], None),
        lambda ranked: ranked.search([[0, 0]], 1, filter=[7]),
        lambda ranked: ranked.search([[0, 0]], 1, filter=[True]),
        lambda ranked: ranked.search([[0, 0]], 1, exclude=[1, 2]),
        lambda ranked: ranked.search([[0.5, 0]], 1),
    ],
)
def test_bad_arguments_are_errors(ask):
    index = hashret.Index(16)
    index.add(np.zeros((3, 2), np.uint8))
    with pytest.raises(hashret.HashretError):
        ask(index.ranked(WeightedPrefix(16, 8)))


def test_unused_bits_of_a_damaged_mapped_file_are_no_costs(tmp_path):
    index = hashret.Index(1, "scan")
    index.add(np.array([[0], [0x80], [0], [0x80]], np.uint8))
    path = tmp_path / "index.hri"
    damaged = bytearray(index.to_bytes())
    for place in range(256, 320):
        damaged[place] |= 0x7F if place % 8 == 0 else 0xFF
    path.write_bytes(damaged)
    mapped = hashret.Index.load(path, mmap=True)
    distances, _ = mapped.ranked(WeightedPrefix(1, 1, 2)).search(
        np.array([[0], [0x80]], np.uint8), k=4
    )
    # Wrong as they may be, none is of memory behind the table of costs.
    assert ((distances >= 0) & (distances <= 2) | np.isinf(distances)).all()
