"""Exhaustive search: one query and batches, few and many neighbours, radius, and call overhead."""

from __future__ import annotations

import pytest

from . import check, data, peers
from .duel import repeated


@pytest.mark.parametrize("k", [10, 1000])
@pytest.mark.parametrize("bits", [64, 128, 256])
def test_one_query(duel, size, bits, k):
    codes, queries, _ = data.uniform(size * 64 // bits, bits)
    engines = peers.exact(codes, bits, slow=k == 10, kind="scan")
    check.answers(engines, queries, codes, k)
    duel(peers.asking(engines, queries[:1], k), 15)


@pytest.mark.parametrize("k", [10, 1000])
@pytest.mark.parametrize("bits", [64, 128, 256])
def test_batch_of_100(duel, size, bits, k):
    codes, queries, _ = data.uniform(size * 64 // bits, bits)
    engines = peers.exact(codes, bits, kind="scan")
    check.answers(engines, queries, codes, k)
    duel(peers.asking(engines, queries, k), 7, units=len(queries))


@pytest.mark.parametrize("kind", ["clustered", "duplicates"])
def test_one_query_of_skewed_codes(duel, size, kind):
    codes, queries, bits = data.SYNTHETIC[kind](size, 64)
    engines = peers.exact(codes, bits, kind="scan")
    check.answers(engines, queries, codes, 10)
    duel(peers.asking(engines, queries[:1], 10), 15)


@pytest.mark.parametrize("radius", [4, 16])
def test_radius(duel, size, radius):
    codes, queries, bits = data.clustered(size, 64)
    engines = peers.within(codes, bits)
    check.within(engines, queries, codes, radius)
    duel(peers.asking(engines, queries[:10], radius))


def test_call_on_1000_codes(duel):
    codes, queries, bits = data.uniform(1000, 64)
    engines = peers.exact(codes, bits, slow=True)
    check.answers(engines, queries, codes, 10)
    asking = peers.asking(engines, queries[:1], 10)
    calls = {name: repeated(call, 200) for name, call in asking.items()}
    duel(calls, 25, units=200)


def test_a_million_codes_at_least_as_fast_as_faiss(duel):
    codes, queries, bits = data.uniform(1_000_000, 64)
    engines = peers.exact(codes, bits, kind="scan")
    check.answers(engines, queries, codes, 10)
    contest = duel(peers.asking(engines, queries[:1], 10), 41)
    assert contest.ratio("faiss flat") >= 1.0
