"""What explain() tells is true, and the planner's choice changes cost, never answers."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
import shapes

import hashret
from hashret import CodeError, DTypeError, IdError, ParameterError, ShapeError, _native

LARGE = 20_000
TABLED = 150_000  # so many codes are sorted and get tables in an "auto" index


def build(plain, kind, ids=None, **options):
    index = hashret.Index(plain.shape[1], kind, **options)
    index.add(shapes.pack(plain), ids)
    index.compact()
    return index


def build_timeless(plain, kind):
    """An index whose plans follow the cost model and no clock, which a busy machine may stop."""
    index = build(plain, kind)
    index._native.set_policy("model", typical=True)
    return index


def assert_told(index, told, found, distinct, query):
    """Check what holds of every explanation against the answer and the oracle."""
    distances = found[0][0][found[1][0] != -1]
    assert told.kind == index.kind
    assert told.codes == len(index)
    assert told.exact
    assert told.distance == (distances[-1] if len(distances) else None)
    if told.way == "scan":
        assert (told.buckets, told.radius) == (0, None)
        assert told.candidates <= len(index) + 3 * 8  # blocks of eight in three places
    elif told.way == "mih":
        assert told.buckets > 0
        assert 0 <= told.radius <= index.bits
        if len(distances) == found[0].size:
            assert told.radius >= distances[-1]
            assert f"within distance {told.radius}" in told.reason
        # Every code within the radius lay in some bucket, and was compared there.
        assert told.candidates >= (oracle.distances(query, distinct)[0] <= told.radius).sum()
    else:
        assert told.way == "mih, then scan"
        assert told.buckets > 0
        assert told.candidates >= len(distinct)
    assert f"{told.candidates:,} comparisons over {told.codes:,} codes" in str(told)
    assert str(told).splitlines()[1] == f"exact: {told.reason}"


@pytest.mark.parametrize("kind", ["scan", "mih", "auto"])
@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_explanations_are_true(rng, kind, shape):
    assert_all_told(rng, kind, shape, LARGE)


@pytest.mark.parametrize("shape", [shapes.clustered, shapes.constant_trailing])
def test_explanations_of_a_plan_are_true(rng, shape):
    assert_all_told(rng, "auto", shape, TABLED)


def assert_all_told(rng, kind, shape, n):
    plain = shape(rng, n, 64)
    index, distinct = build(plain, kind), np.unique(shapes.pack(plain), axis=0)
    for query in shapes.queries_near(rng, plain, 64, 3):
        for k in (1, 10, 2000, n + 1):
            found = index.search(query[None], k)
            told = index.explain(query[None], k)
            assert_told(index, told, found, distinct, query[None])


def test_the_way_of_each_kind(rng):
    plain = shapes.clustered(rng, LARGE, 64)
    codes = shapes.pack(plain)
    assert build(plain, "scan").explain(codes[:1], 5).way == "scan"
    assert build(plain, "mih").explain(codes[:1], LARGE).way == "mih"
    auto = build(plain, "auto")
    assert auto.explain(codes[:1], LARGE).way in ("scan", "mih, then scan")
    few = build(plain[:1000], "auto")
    assert few.explain(codes[:1], 5).way == "scan"
    lsh = build(plain, "lsh", tables=4)
    told = lsh.explain(codes[:1], 5)
    assert (told.way, told.exact, told.buckets, told.radius) == ("lsh", False, 4, None)
    assert str(told).splitlines()[1].startswith("approximate: ")


def test_a_near_neighbour_is_found_without_a_scan(rng):
    """Where a code equal to the query exists, the first buckets show it."""
    plain = shapes.uniform(rng, 300_000, 64)
    codes = shapes.pack(plain)

    for kind in ("mih", "auto"):
        index = build_timeless(plain, kind)
        told = [index.explain(query[None], 1) for query in codes[:20]]
        assert all(one.way == "mih" and one.candidates < 10_000 for one in told), kind


def test_queries_for_much_do_not_spoil_queries_for_little(rng):
    """Where many results are asked for, probes end in scans, if they are begun."""
    plain = shapes.uniform(rng, TABLED, 64)
    codes = shapes.pack(plain)
    index = build_timeless(plain, "auto")
    ways = {index.explain(query[None], 2000).way for query in codes[:40]}
    assert ways & {"scan", "mih, then scan"}
    assert index.explain(codes[:1], 1).way == "mih"


def test_queries_asked_together_go_one_way_in_eights(rng):
    """Here no probe ends in a scan, unless it was stopped: those scanned tried it, in sections."""
    codes = shapes.pack(shapes.uniform(rng, 20_000, 64))
    index = hashret.Index(64)
    index.add(codes)
    index.search(codes[:1], 1)  # makes the tables
    request, scanned = _native.Request(codes[:64], 64), []
    distances, ids = np.empty((64, 1), np.int32), np.empty((64, 1), np.int64)
    with _native.Reader(index._native) as reader:
        for _ in range(60_000):  # the dearer a scan, the more seldom it is tried
            scanned += [n for n in [reader.search(request, 1, distances, ids)[2]] if n]
            if len(scanned) == 9:
                break
    assert scanned
    assert sum(count % 8 == 0 for count in scanned) > len(scanned) / 2, scanned


@pytest.mark.parametrize("policy", sorted(_native.POLICIES))
def test_policies_change_ways_and_no_answers(rng, policy):
    plain = shapes.clustered(rng, TABLED, 64)
    index, queries = build(plain, "auto"), shapes.queries_near(rng, plain, 64, 12)
    index._native.set_policy(policy, typical=True)
    expected = oracle.search(queries, shapes.pack(plain), np.arange(TABLED), 50)
    for found in (index.search(queries, 50), index.search(queries[:1], 50)):
        for got, want in zip(found, expected, strict=True):
            np.testing.assert_array_equal(got, want[: len(got)])
    ways = {index.explain(query[None], 50).way for query in queries}
    if policy in ("scan", "probe"):
        assert ways == {"mih" if policy == "probe" else "scan"}
    assert ways <= {"mih", "scan", "mih, then scan"}


def test_clustered_codes_are_not_all_compared(rng):
    plain = shapes.clustered(rng, LARGE, 64)
    index = build(plain, "mih")
    for query in shapes.pack(plain[:20]):
        assert index.explain(query[None], 10).candidates < LARGE / 4


@pytest.mark.parametrize(
    "shape", [shapes.constant_leading, shapes.constant_trailing, shapes.consecutive]
)
def test_buckets_that_all_codes_share_are_left_alone(rng, shape):
    """A table over constant bits is worth a scan; the others show the same codes for less."""

    for kind, n in (("mih", LARGE), ("auto", TABLED)):
        plain = shape(rng, n, 128)
        index = build_timeless(plain, kind)
        queries = shapes.pack(plain[rng.integers(0, n, 20)])
        assert all(index.explain(query[None], 1).candidates < n / 4 for query in queries), kind


@pytest.mark.parametrize("kind", ["mih", "auto"])
def test_explain_sees_filters_removed_codes_and_codes_aside(rng, kind):
    n = LARGE if kind == "mih" else TABLED
    plain = shapes.clustered(rng, n, 64)
    codes, index = shapes.pack(plain), build(plain, kind)
    index.search(codes[:1], 1)
    nearest = index.search(codes[:1], 5)[1][0]
    told = index.explain(codes[:1], 1, filter=nearest[3:])
    assert told.distance == oracle.distances(codes[:1], codes[nearest[3:]]).min()
    told = index.explain(codes[:1], 1, filter=[])
    assert told.distance is None
    index.remove(nearest)
    left = np.setdiff1d(np.arange(n), nearest)
    told = index.explain(codes[:1], 3)
    assert told.distance == np.sort(oracle.distances(codes[:1], codes[left])[0])[2]
    assert told.codes == n - 5
    index.add(codes[nearest], nearest)  # these lie aside of the tables now
    told = index.explain(codes[:1], 5)
    assert told.distance == oracle.distances(codes[:1], codes[nearest]).max()
    assert told.candidates >= 5


def test_an_empty_index_is_explained(rng):
    for kind in ("scan", "mih", "auto"):
        told = hashret.Index(16, kind).explain(oracle.random_codes(rng, 1, 16), 3)
        assert (told.codes, told.candidates, told.distance, told.exact) == (0, 0, None, True)


@pytest.mark.parametrize(
    ("query", "k", "options", "error", "message"),
    [
        (np.zeros((2, 8), np.uint8), 1, {}, ShapeError, "query: expected one code, got 2"),
        (np.zeros((0, 8), np.uint8), 1, {}, ShapeError, "query: expected one code, got 0"),
        (np.zeros((1, 7), np.uint8), 1, {}, ShapeError, "expected"),
        (np.zeros((1, 8), np.float32), 1, {}, DTypeError, "expected"),
        (np.zeros((1, 8), np.uint8), 0, {}, ParameterError, "k: expected at least 1"),
        (np.zeros((1, 8), np.uint8), 1, {"filter": [99]}, IdError, "filter: unknown id 99"),
        (np.zeros((1, 8), np.uint8), 1, {"filter": [True]}, ShapeError, "filter: mask"),
    ],
)
def test_bad_input(rng, query, k, options, error, message):
    index = build(shapes.uniform(rng, 10, 64), "mih")
    with pytest.raises(error, match=message):
        index.explain(query, k, **options)
    assert len(index) == 10


def test_trailing_bits_of_the_query_are_refused(rng):
    index = build(shapes.uniform(rng, 10, 12), "mih")
    with pytest.raises(CodeError, match="bits past bit 11"):
        index.explain(np.array([[0, 1]], np.uint8), 1)


def random_change(rng, index, plain, live):
    """One change, small ones and large ones; returns the rows that are live after it."""
    n = len(plain)
    count = int(rng.choice([1, 50, 400, n // 7]))
    kind = rng.choice(["add", "remove", "update"])
    if kind == "add":
        rows = rng.permutation(np.setdiff1d(np.arange(n), live))[:count]
        index.add(shapes.pack(plain[rows]), rows)
        return np.union1d(live, rows)
    rows = rng.permutation(live)[:count]
    if kind == "remove":
        index.remove(rows)
        return np.setdiff1d(live, rows)
    plain[rows] = plain[rng.integers(0, n, len(rows))]
    index.update(shapes.pack(plain[rows]), rows)
    return live


@pytest.mark.parametrize(
    ("kind", "shape", "n", "bits"),
    [
        *(("mih", shapes.clustered, 40_000, bits) for bits in (30, 64, 100)),
        ("mih", shapes.few_values, 40_000, 64),
        ("auto", shapes.clustered, 180_000, 64),  # with tables
        *(("auto", shapes.few_values, 40_000, bits) for bits in (30, 100)),  # sorted, without
    ],
)
def test_a_long_life_beside_tables(rng, tmp_path, kind, shape, n, bits):
    """Sorted codes and tables are used, outgrown, made again, saved and mapped."""
    plain = shape(rng, n, bits)
    live = np.arange(n * 4 // 5)
    index = build(plain[live], kind)
    path = tmp_path / "index.hri"
    for turn in range(10):
        live = random_change(rng, index, plain, live)
        if turn % 4 == 3:
            index.save(path)
            index = hashret.Index.load(path, mmap=turn > 5)
        queries = shapes.queries_near(rng, plain[live], bits, 2)
        codes = shapes.pack(plain[live])
        expected = oracle.search(queries, codes, live, 500)
        for k in (3, 500):
            found = index.search(queries, k)
            np.testing.assert_array_equal(found[0], expected[0][:, :k])
            np.testing.assert_array_equal(found[1], expected[1][:, :k])
        wanted = oracle.range_search(queries, codes, live, bits // 10)
        for got, want in zip(index.range_search(queries, bits // 10), wanted, strict=True):
            np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(index.ids, live)


def test_costs_that_are_not_measured_yet_are_typical_ones(rng):
    """While what was added is sorted beside it, a loaded index is searched before calibration."""
    codes = oracle.random_codes(rng, 120_000, 256)
    index = hashret.Index(256)
    index.add(codes[:100_000])
    loaded = hashret.Index.from_bytes(index.to_bytes())
    loaded.add(codes[100_000:])
    explained = loaded.explain(codes[:1] ^ 0x11, 10)
    # With costs of nothing all buckets of a table are looked into.
    assert explained.buckets < 2**12
