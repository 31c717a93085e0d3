"""Every code against all others: pairs and groups within a radius, and the graph of neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from . import data, peers

CODES = 20_000


@pytest.fixture(scope="module")
def clustered():
    codes, queries, bits = data.clustered(CODES, 64)
    return codes, peers.ready(codes, queries, bits), peers.faiss_flat(codes, bits)


def test_pairs(duel, clustered):
    codes, index, flat = clustered
    # faiss wants distance < radius, and finds every pair twice and each code itself.
    assert len(index.pairs(4)[0]) == (flat.range_search(codes, 5)[0][-1] - CODES) // 2
    calls = {
        "hashret": lambda: index.pairs(4, threads=1),
        "faiss flat": lambda: flat.range_search(codes, 5),
    }
    duel(calls, 3, units=CODES)


def test_groups(duel, clustered):
    _, index, _ = clustered
    first, second, _ = index.pairs(4)
    assert sum(map(len, index.duplicates(4))) == len(np.union1d(first, second))
    duel({"hashret": lambda: index.duplicates(4, threads=1)}, 3, units=CODES)


def test_neighbor_graph(duel, clustered):
    codes, index, flat = clustered
    found = index.neighbor_graph(10)[1]
    assert np.array_equal(found, flat.search(codes, 11)[0][:, 1:])
    calls = {
        "hashret": lambda: index.neighbor_graph(10, threads=1),
        "faiss flat": lambda: flat.search(codes, 11),
    }
    duel(calls, 2, units=CODES)
