"""Every code against all others: neighbour graphs, pairs and groups, as the oracle has them."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
import shapes

import hashret
from hashret import DTypeError, ParameterError

EXACT = ["scan", "mih", "auto"]


def build(rng, kind, shape, n, bits, *, changed=False):
    """An index with its ids, ascending, and their codes."""
    plain = shape(rng, n, bits)
    codes = shapes.pack(plain).reshape(n, (bits + 7) // 8)
    ids = np.sort(rng.permutation(3 * n + 1)[:n]).astype(np.int64)
    order = rng.permutation(n)
    index = hashret.Index(bits, kind)
    index.add(codes[order], ids[order])
    if changed:
        index.search(codes[:1], 1)
        gone = np.arange(n) % 5 == 0
        index.remove(ids[gone])
        back = np.arange(n) % 10 == 0
        index.add(codes[back], ids[back])
        kept = ~gone | back
        return index, ids[kept], codes[kept]
    return index, ids, codes


def expected_groups(near, ids):
    """Connected components, by following links until none is new."""
    left, groups = set(range(len(ids))), []
    while left:
        group, edge = set(), {min(left)}
        while edge:
            group |= edge
            edge = set(np.flatnonzero(near[sorted(edge)].any(axis=0)).tolist()) - group
        left -= group
        if len(group) > 1:
            groups.append(ids[sorted(group)])
    return sorted(groups, key=lambda group: group[0])


def assert_all_against_all(index, ids, codes, radii, k):
    distances = oracle.distances(codes, codes)
    for radius in radii:
        first, second, apart = index.pairs(radius)
        wanted = sorted(
            (int(ids[a]), int(distances[a, b]), int(ids[b]))
            for a, b in zip(*np.nonzero(np.triu(distances <= radius, 1)), strict=True)
        )
        assert list(zip(first.tolist(), apart.tolist(), second.tolist(), strict=True)) == wanted
        groups, known = index.duplicates(radius), expected_groups(distances <= radius, ids)
        assert len(groups) == len(known)
        for got, want in zip(groups, known, strict=True):
            np.testing.assert_array_equal(got, want)
    named, far, neighbors = index.neighbor_graph(k)
    np.testing.assert_array_equal(named, ids)
    nearest = np.full((2, len(ids), k), [[[oracle.MISSING_DISTANCE]], [[-1]]])
    for i, row in enumerate(distances):
        order = np.lexsort((ids, row))
        order = order[order != i][:k]
        nearest[:, i, : len(order)] = row[order], ids[order]
    np.testing.assert_array_equal(far, nearest[0])
    np.testing.assert_array_equal(neighbors, nearest[1])


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("shape", shapes.SHAPES)
@pytest.mark.parametrize("bits", [6, 64, 130])
def test_all_against_all(rng, kind, shape, bits):
    for n in (1, 2, 9, 150):
        index, ids, codes = build(rng, kind, shape, n, bits)
        assert_all_against_all(index, ids, codes, (0, bits // 10, bits // 3), k=n % 11 + 1)


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("shape", [shapes.clustered, shapes.few_values])
def test_removed_codes_and_codes_aside(rng, kind, shape):
    index, ids, codes = build(rng, kind, shape, 400, 64, changed=True)
    assert_all_against_all(index, ids, codes, (5,), k=7)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("kind", EXACT)
def test_thread_count_changes_nothing(rng, kind, threads):
    index, *_ = build(rng, kind, shapes.clustered, 5000, 64)
    one, many = index.pairs(5, threads=1), index.pairs(5, threads=threads)
    assert len(one[0]) > 1000
    for got, want in zip(many, one, strict=True):
        np.testing.assert_array_equal(got, want)
    one, many = index.neighbor_graph(9, threads=1), index.neighbor_graph(9, threads=threads)
    for got, want in zip(many, one, strict=True):
        np.testing.assert_array_equal(got, want)
    one, many = index.duplicates(5, threads=1), index.duplicates(5, threads=threads)
    assert [group.tolist() for group in many] == [group.tolist() for group in one]


def test_nothing_to_compare():
    for kind in EXACT:
        index = hashret.Index(16, kind)
        assert index.duplicates(3) == []
        assert [len(part) for part in index.pairs(3)] == [0, 0, 0]
        ids, distances, neighbors = index.neighbor_graph(2)
        assert (ids.shape, distances.shape, neighbors.shape) == ((0,), (0, 2), (0, 2))


@pytest.mark.parametrize(
    ("threads", "kind", "radius"), [(1, "mih", 1), (2, "mih", 9), (1, "auto", 9), (2, "auto", 2)]
)
def test_groups_of_many_codes(rng, kind, radius, threads):
    """So many that "auto" has tables, and some of its queries are scans."""
    count = 10_000
    centres = rng.integers(0, 256, (count, 12), np.uint8)  # of 96 bits: none within 20 of others
    codes = np.repeat(centres, 3, axis=0)
    codes[1::3, 0] ^= 1  # each has two more codes, at distances 1 and 2 of it
    codes[2::3, 0] ^= 3
    order = rng.permutation(len(codes))
    index = hashret.Index(96, kind)
    index.add(codes[order], order)
    index.search(codes[:1], 1)
    # The chain of 1s links all three.
    groups = np.array(index.duplicates(radius, threads=threads))
    np.testing.assert_array_equal(groups, np.arange(3 * count).reshape(count, 3))
    first, second, _ = index.pairs(radius, threads=threads)
    assert len(first) == count * (2 if radius == 1 else 3)
    np.testing.assert_array_equal(first // 3, second // 3)


@pytest.mark.parametrize("kind", ["mih", "auto"])
def test_a_hundred_thousand_equal_codes_are_one_group(kind):
    index = hashret.Index(64, kind)
    index.add(np.repeat(np.arange(2, dtype=np.uint64)[:, None] * 0xFFFF, 50_000, axis=0))
    groups = index.duplicates(0)
    assert [len(group) for group in groups] == [50_000, 50_000]
    assert [len(group) for group in index.duplicates(16)] == [100_000]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda i: i.neighbor_graph(0), ParameterError, "k: expected at least 1"),
        (lambda i: i.neighbor_graph(1.0), DTypeError, "k: expected an int"),
        (lambda i: i.neighbor_graph(1, threads=0), ParameterError, "threads: expected"),
        (lambda i: i.duplicates(-1), ParameterError, "radius: expected at least 0"),
        (lambda i: i.duplicates(0.5), DTypeError, "radius: expected an int"),
        (lambda i: i.pairs(-1), ParameterError, "radius: expected at least 0"),
        (lambda i: i.pairs(1, threads=0), ParameterError, "threads: expected"),
    ],
)
def test_bad_input(rng, call, error, message):
    index, *_ = build(rng, "auto", shapes.uniform, 10, 64)
    with pytest.raises(error, match=message):
        call(index)
    assert len(index) == 10
