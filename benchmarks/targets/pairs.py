"""Targets of comparing every code with all others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import hashret
from hashret.extras import import_extra

from .. import check, data, peers
from ..data import Codes
from ..duel import Duel
from ..sizes import SIZES
from . import Row, ratio, target

RADIUS, SECONDS = 4, 60.0
# Codes whose pairs faiss finds too.
CHECKED = 200
GRAPH_CODES, GRAPH_K = SIZES["small"], 10


@target(16, "All pairs within radius 4")
def pairs(size: int) -> Iterator[Row]:
    count = min(size, SIZES["medium"])
    codes, queries, bits = data.clustered(count, 64)
    index = peers.ready(codes, queries, bits)
    case = f"{count:,} clustered codes"
    found, took = _timed(partial(index.pairs, RADIUS, threads=1))
    _check_pairs(found, codes, bits)
    yield Row(f"{case}, {len(found[0]):,} pairs", took, SECONDS, at_most=True, unit=" s")
    groups, took = _timed(partial(index.duplicates, RADIUS, threads=1))
    _check_groups(groups, found, count)
    yield Row(f"{case}, {len(groups):,} groups", took, SECONDS, at_most=True, unit=" s")
    codes = codes[:GRAPH_CODES]
    yield _graph(peers.ready(codes, queries, bits), codes, bits)


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    found = call()
    return found, time.perf_counter() - start


def _check_pairs(found: Any, codes: Codes, bits: int) -> None:
    """Assert that the pairs of some codes are those that faiss finds."""
    first, second, distances = found
    asked = np.linspace(0, len(codes) - 1, CHECKED, dtype=np.int64)
    # faiss wants distance < radius.
    lims, theirs, ids = peers.faiss_flat(codes, bits).range_search(codes[asked], RADIUS + 1)
    for row, id in enumerate(asked):
        others = slice(int(lims[row]), int(lims[row + 1]))
        expected = {
            (int(other), int(distance))
            for other, distance in zip(ids[others], theirs[others], strict=True)
            if other != id
        }
        mine = (first == id) | (second == id)
        partners = first[mine] + second[mine] - id
        assert set(zip(partners.tolist(), distances[mine].tolist(), strict=True)) == expected


def _check_groups(groups: Any, found: Any, count: int) -> None:
    """Assert that the groups are the connected components of the pairs."""
    first, second, _ = found
    sparse: Any = import_extra("scipy.sparse", "images")
    joined = sparse.coo_array((np.ones(len(first), np.int8), (first, second)), (count, count))
    _, labels = import_extra("scipy.sparse.csgraph", "images").connected_components(joined, False)
    sizes = np.bincount(labels)
    assert len(groups) == np.count_nonzero(sizes > 1)
    for group in groups:
        own = labels[group]
        assert np.all(own == own[0])
        assert sizes[own[0]] == len(group)


def _graph(index: hashret.Index, codes: Codes, bits: int) -> Row:
    """The neighbours of all codes, beside a batch of all codes in faiss, which finds itself too."""
    flat = peers.faiss_flat(codes, bits)
    distances = index.neighbor_graph(GRAPH_K, threads=1)[1]
    expected = flat.search(codes, GRAPH_K + 1)[0][:, 1:]
    check.agree({"hashret": (distances, distances), "faiss flat": (expected, expected)})
    calls = {
        "hashret": lambda: index.neighbor_graph(GRAPH_K, threads=1),
        "faiss flat": lambda: flat.search(codes, GRAPH_K + 1),
    }
    return ratio(
        f"graph of {len(codes):,} clustered codes, k = 10", Duel(calls).play(1), "faiss flat"
    )
