"""Approximate search by graphs and lists of usearch and pynear, where it is bearable."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np

from .data import Codes
from .peers import Answer, Search

# A graph takes minutes to build on one thread above this.
CODES = 100_000
EXPANSIONS = (16, 64, 256)
LISTS, PROBES = 256, (1, 8, 64)


def searches(codes: Codes, bits: int) -> Iterator[tuple[str, str, Search]]:
    """Names, settings and searches of the engines that are installed; none of many codes."""
    if len(codes) > CODES:
        return
    if find_spec("usearch"):
        yield from _hnsw(codes, bits)
    if find_spec("pynear"):
        yield from _inverted(codes)


def _hnsw(codes: Codes, bits: int) -> Iterator[tuple[str, str, Search]]:
    from usearch.index import Index, MetricKind, ScalarKind

    index = Index(ndim=bits, metric=MetricKind.Hamming, dtype=ScalarKind.B1)
    index.add(np.arange(len(codes)), codes, threads=1)

    def searching(expansion: int) -> Search:
        def find(queries: Codes, k: int) -> Answer:
            index.expansion_search = expansion
            found = index.search(queries, k, threads=1)
            return np.atleast_2d(found.distances), np.atleast_2d(found.keys)

        return find

    for expansion in EXPANSIONS:
        yield "usearch HNSW", f"expansion {expansion}", searching(expansion)


def _inverted(codes: Codes) -> Iterator[tuple[str, str, Search]]:
    import pynear

    index = pynear.IVFFlatBinaryIndex(LISTS)
    index.set(codes)

    def searching(probes: int) -> Search:
        def find(queries: Codes, k: int) -> Answer:
            index.set_nprobe(probes)
            ids, distances = index.searchKNN_arrays(queries, k)
            return distances, ids

        return find

    for probes in PROBES:
        yield f"pynear IVF-{LISTS}", f"{probes} probes", searching(probes)
