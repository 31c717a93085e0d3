"""The planner beside each of its two ways: singly and in batches, by k, and on real codes."""

from __future__ import annotations

import pytest

from . import check, data, peers, real
from .targets.planner import KINDS
from .test_mih import in_order

QUERIES = 301


@pytest.fixture(params=data.SYNTHETIC)
def searched(request, size):
    return data.SYNTHETIC[request.param](size, 64, queries=QUERIES)


@pytest.mark.parametrize("k", [1, 10, 100, 1000])
def test_one_query(duel, searched, k):
    codes, queries, bits = searched
    engines = peers.kinds(codes, bits, *KINDS)
    check.answers(engines, queries, codes, k)
    duel(in_order(engines, queries, k), 40)


@pytest.mark.parametrize("k", [10, 1000])
def test_batch(duel, searched, k):
    codes, queries, bits = searched
    engines = peers.kinds(codes, bits, *KINDS)
    check.answers(engines, queries, codes, k)
    duel(peers.asking(engines, queries[:100], k), 5, units=100)


@pytest.mark.parametrize("name", real.SETS)
def test_real_codes(duel, size, name):
    if name.startswith("CIFAR-10") and real.CIFAR10 is None:
        pytest.skip("needs --cifar10 PATH")
    codes, queries, bits = real.SETS[name](size, QUERIES)
    engines = peers.kinds(codes, bits, *KINDS)
    engines["faiss flat"] = peers.faiss_flat(codes, bits).search
    check.answers(engines, queries, codes, 10)
    duel(in_order(engines, queries, 10), 60)
