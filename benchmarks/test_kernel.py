"""The kernels of each instruction set on codes that fit the L2 cache."""

from __future__ import annotations

import numpy as np
import pytest

from hashret.codes import distance_histogram, hamming_distances
from tests import oracle

from . import check, data, peers

# 256 KiB of codes.
L2_BYTES = 1 << 18
QUERIES = 256


@pytest.fixture(params=[64, 256])
def cached(request):
    bits = request.param
    return data.uniform(L2_BYTES * 8 // bits, bits, queries=QUERIES)


def test_distances(duel, isa, cached):
    codes, queries, bits = cached
    # All distances of a few queries: the table must not outgrow the cache either.
    few = queries[:4]
    expected = oracle.distances(few, codes)
    table = np.empty(expected.shape, np.int32)

    def hammings():
        pointer = peers.faiss.swig_ptr
        peers.faiss.hammings(
            pointer(few), pointer(codes), len(few), len(codes), bits // 8, pointer(table)
        )

    hammings()
    assert np.array_equal(table, expected)
    assert np.array_equal(hamming_distances(few, codes, bits), expected)
    calls = {
        "hashret": lambda: hamming_distances(few, codes, bits),
        "faiss hammings": hammings,
    }
    duel(calls, 25, units=expected.size)


def test_histogram(duel, isa, cached):
    codes, queries, bits = cached
    few = queries[:32]
    expected = [np.bincount(row, minlength=bits + 1) for row in oracle.distances(few, codes)]
    assert np.array_equal(distance_histogram(few, codes, bits), expected)

    def counted():
        return [np.bincount(row) for row in hamming_distances(few, codes, bits)]

    calls = {"hashret": lambda: distance_histogram(few, codes, bits), "numpy bincount": counted}
    duel(calls, 15, units=len(few) * len(codes))


def test_nearest(duel, isa, cached):
    codes, queries, bits = cached
    engines = peers.exact(codes, bits)
    check.answers(engines, queries, codes, 1)
    duel(peers.asking(engines, queries, 1), 15, units=len(queries) * len(codes))
