"""Exact search in buckets: one query of many codes, collapsed codes, and what the planner costs."""

from __future__ import annotations

import numpy as np
import pytest

from . import check, data, lists, peers

QUERIES = 60


@pytest.fixture(params=["uniform", "clustered"])
def searched(request, size):
    return data.SYNTHETIC[request.param](size, 64, queries=QUERIES)


def in_order(searches, queries, k):
    """Each call asks the next query: none finds its last answer in a cache."""

    def asking(search):
        turns = iter(np.resize(np.arange(len(queries)), 10**6))

        def ask():
            turn = next(turns)
            return search(queries[turn : turn + 1], k)

        return ask

    return {name: asking(search) for name, search in searches.items()}


@pytest.mark.parametrize("k", [1, 10, 100])
def test_one_query(duel, searched, k):
    codes, queries, bits = searched
    engines = peers.exact(codes, bits) | peers.kinds(codes, bits, "scan", "mih")
    check.answers(engines, queries, codes, k)
    duel(in_order(engines, queries, k), QUERIES)


def test_one_query_beside_inverted_lists(duel, benchmark, size):
    searched = data.clustered(size, 64, queries=QUERIES)
    codes, queries, bits = searched
    engines = peers.exact(codes, bits)
    check.answers(engines, queries, codes, 10)
    exact = engines["faiss flat"](queries, 10)[0]
    way = lists.reaching(searched, 1024, exact, 0.95)
    if way is None:
        pytest.skip("too few codes for 1024 lists")
    benchmark.extra_info |= {"recall": way.recall, "probes": way.probes}
    duel(in_order(engines | {"faiss IVF": way.search}, queries, 10), QUERIES)


@pytest.mark.parametrize("values", [1, 300])
def test_collapsed(duel, values):
    codes, queries, bits = data.collapsed(60_000, values, 64)
    engines = peers.exact(codes, bits) | peers.kinds(codes, bits, "scan")
    check.answers(engines, queries, codes, 10)
    duel(peers.asking(engines, queries, 10), 9, units=len(queries))


def test_collapsed_large(duel, size):
    codes, queries, bits = data.collapsed(size, 3000, 64)
    engines = peers.exact(codes, bits)
    check.answers(engines, queries, codes, 10)
    duel(peers.asking(engines, queries, 10), 9, units=len(queries))


@pytest.mark.parametrize("radius", [0, 4, 8])
def test_radius(duel, searched, radius):
    codes, queries, bits = searched
    engines = peers.within(codes, bits)
    check.within(engines, queries[:1], codes, radius)
    duel(in_order(engines, queries, radius), QUERIES)
