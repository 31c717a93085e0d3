"""Approximate indexes of long codes, each with the one dial that trades recall for time."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from . import check, lists, peers
from .data import Codes, Searched
from .peers import Answer, Search

K = 10
# Links of a graph's node, and how many candidates are kept while it is built.
LINKS, KEPT = 16, 80
# From dial to dial.
STEP = 1.3


class Rival(NamedTuple):
    """An index of another engine: its search at a dial, up to the largest, and its building."""

    name: str
    at: Callable[[int], Search]
    most: int
    seconds: float


def rivals(searched: Searched) -> list[Rival]:
    """Build all, timed, on one thread each."""
    made = [faiss_ivf(searched.codes, searched.bits), faiss_hnsw(searched.codes, searched.bits)]
    if find_spec("usearch"):
        made.append(usearch_hnsw(searched.codes, searched.bits))
    return made


def faiss_ivf(codes: Codes, bits: int) -> Rival:
    """Inverted lists, as many as faiss advises: four times the square root, a power of two."""
    count = 1 << round(np.log2(4 * len(codes) ** 0.5))
    began = time.perf_counter()
    index = lists.build(codes, bits, min(count, len(codes) // lists.TRAINED))
    taken = time.perf_counter() - began
    return Rival("faiss IVF", lambda dial: lists.probing(index, dial), index.nlist, taken)


def faiss_hnsw(codes: Codes, bits: int) -> Rival:
    """Return faiss's navigable graph."""
    began = time.perf_counter()
    index = peers.faiss.IndexBinaryHNSW(bits, LINKS)
    index.hnsw.efConstruction = KEPT
    index.add(codes)
    taken = time.perf_counter() - began

    def at(dial: int) -> Search:
        def find(queries: Codes, k: int) -> Answer:
            index.hnsw.efSearch = dial
            found: Answer = index.search(queries, k)
            return found

        return find

    return Rival("faiss HNSW", at, len(codes), taken)


def usearch_hnsw(codes: Codes, bits: int) -> Rival:
    """Return usearch's navigable graph."""
    from usearch.index import Index

    began = time.perf_counter()
    index: Any = Index(
        ndim=bits, metric="hamming", dtype="b1", connectivity=LINKS, expansion_add=KEPT
    )
    index.add(np.arange(len(codes)), codes, threads=1)
    taken = time.perf_counter() - began

    def at(dial: int) -> Search:
        def find(queries: Codes, k: int) -> Answer:
            index.expansion_search = dial
            found = index.search(queries, k, threads=1)
            return np.atleast_2d(found.distances), np.atleast_2d(found.keys)

        return find

    return Rival("usearch HNSW", at, len(codes), taken)


def reaching(rival: Rival, queries: Codes, exact: Any, recall: float) -> tuple[Search, float]:
    """The search of the least dial that reaches a recall, or of the largest; and its recall."""
    dial = K if rival.most > K else 1
    while True:
        search = rival.at(dial)
        found = check.recall(np.asarray(search(queries, K)[0]), exact)
        if found >= recall or dial >= rival.most:
            return search, found
        dial = min(int(dial * STEP) + 1, rival.most)
