"""Inverted lists of faiss: the approximate rival of exact search in buckets."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import check, peers
from .data import Codes, Searched
from .peers import Answer, Search

K = 10
# Codes that training needs for a list.
TRAINED = 64


class Way(NamedTuple):
    """Lists searched with some number of probes, and the recall of that."""

    search: Search
    probes: int
    recall: float


def build(codes: Codes, bits: int, count: int) -> Any:
    """Train on 64 codes a list, ten rounds, and add all."""
    faiss = peers.faiss
    index = faiss.IndexBinaryIVF(faiss.IndexBinaryFlat(bits), bits, count)
    index.cp.niter, index.cp.max_points_per_centroid, index.cp.min_points_per_centroid = 10, 64, 1
    index.train(codes[: TRAINED * count])
    index.add(codes)
    return index


def probing(index: Any, probes: int) -> Search:
    """Search with the given number of probes."""

    def find(queries: Codes, k: int) -> Answer:
        index.nprobe = probes
        found: Answer = index.search(queries, k)
        return found

    return find


def reaching(searched: Searched, count: int, exact: Any, recall: float) -> Way | None:
    """The fewest probes that reach a recall; None if there are too few codes for the lists.

    Parameters
    ----------
    searched : Searched
    count : int
        Number of lists.
    exact : ndarray, shape (n_queries, K)
        Distances of the exact nearest.
    recall : float
    """
    if len(searched.codes) < TRAINED * count:
        return None
    index, probes = build(searched.codes, searched.bits, count), 1
    while True:
        way = _measured(index, probes, searched.queries, exact)
        if way.recall >= recall or probes == count:
            return way
        probes = min(probes + max(probes // 4, 1), count)


def sweep(searched: Searched, count: int, exact: Any, probes: tuple[int, ...]) -> list[Way]:
    """Recall at several numbers of probes."""
    index = build(searched.codes, searched.bits, count)
    return [_measured(index, number, searched.queries, exact) for number in probes]


def _measured(index: Any, probes: int, queries: Codes, exact: Any) -> Way:
    search = probing(index, probes)
    return Way(search, probes, check.recall(search(queries, K)[0], exact))
