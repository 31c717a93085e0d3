"""The same codes in each engine, behind one signature; one thread each."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

import hashret
from hashret import codes as bit_order
from hashret.extras import import_extra

from .data import Codes, Real


class _Faiss:
    """The module, imported when it is first asked for: what asks no peer runs where there is none.

    There are no wheels of it for free-threaded Python, say.
    """

    def __getattr__(self, name: str) -> Any:
        with warnings.catch_warnings():
            # SWIG's types have no __module__, of which Python complains at import.
            warnings.simplefilter("ignore", DeprecationWarning)
            module = import_extra("faiss", "bench")
        module.omp_set_num_threads(1)
        globals()["faiss"] = module
        return getattr(module, name)


faiss: Any = _Faiss()
Answer = tuple[npt.NDArray[Any], npt.NDArray[Any]]
Search = Callable[[Codes, int], Answer]
RangeSearch = Callable[[Codes, int], tuple[Any, ...]]

# pynear takes lists and builds slowly; usearch needs 66 ns a code.
VP_TREE_CODES = 100_000
USEARCH_CODES = 1_000_000


def build(codes: Codes, bits: int, **options: Any) -> hashret.Index:
    """Index the codes with ids 0, 1, 2, ..., all sorted and with the tables that searches need."""
    index = hashret.Index(bits, **options)
    index.add(codes)
    index.compact()
    return index


def ready(codes: Codes, queries: Codes, bits: int, **options: Any) -> hashret.Index:
    """Index the codes, and search once."""
    index = build(codes, bits, **options)
    index.search(queries[:1], 1, threads=1)
    return index


def ours(index: hashret.Index) -> Search:
    """Search an index of ours on one thread."""
    return lambda queries, k: index.search(queries, k, threads=1)


def faiss_flat(codes: Codes, bits: int) -> Any:
    """Index the codes in faiss, to be searched exhaustively."""
    flat = faiss.IndexBinaryFlat(bits)
    flat.add(codes)
    return flat


def kinds(codes: Codes, bits: int, *names: str) -> dict[str, Search]:
    """Search by several kinds of index of ours: ``"auto"`` is "hashret", others are named."""
    return {
        "hashret" if name == "auto" else f"hashret {name}": ours(build(codes, bits, kind=name))
        for name in names
    }


def exact(codes: Codes, bits: int, *, slow: bool = False, **options: Any) -> dict[str, Search]:
    """Exact search in hashret and faiss; if `slow`, in usearch and pynear, where it is bearable."""
    engines: dict[str, Search] = {
        "hashret": ours(build(codes, bits, **options)),
        "faiss flat": faiss_flat(codes, bits).search,
    }
    if slow and find_spec("usearch") and len(codes) <= USEARCH_CODES:
        engines["usearch exact"] = _usearch(codes)
    if slow and find_spec("pynear") and len(codes) <= VP_TREE_CODES:
        engines["pynear VP-tree"] = _vp_tree(codes)
    return engines


def within(codes: Codes, bits: int) -> dict[str, RangeSearch]:
    """Search within a radius, which is inclusive."""
    index, flat = build(codes, bits), faiss_flat(codes, bits)
    return {
        "hashret": lambda queries, radius: index.range_search(queries, radius, threads=1),
        # faiss wants distance < radius.
        "faiss flat": lambda queries, radius: flat.range_search(queries, radius + 1),
    }


def asking(
    engines: Mapping[str, Callable[..., Any]], *arguments: Any
) -> dict[str, Callable[[], Any]]:
    """Bind every engine's search to its arguments: contenders of a duel."""
    return {name: functools.partial(search, *arguments) for name, search in engines.items()}


def multi_hash(real: Real) -> Any:
    """faiss's table for every part of the code: the same buckets as ours."""
    index = faiss.IndexBinaryMultiHash(real.bits, real.tables, real.bits // real.tables)
    index.add(bit_order.to_lsb_first(real.codes, real.bits))
    return index


def single_hash(real: Real) -> Any:
    """faiss's one table of the first part of the code."""
    index = faiss.IndexBinaryHash(real.bits, real.bits // real.tables)
    index.add(bit_order.to_lsb_first(real.codes, real.bits))
    return index


def _usearch(codes: Codes) -> Search:
    from usearch.index import MetricKind, search

    def find(queries: Codes, k: int) -> Answer:
        found = search(codes, queries, k, MetricKind.Hamming, exact=True, threads=1)
        return np.atleast_2d(found.distances), np.atleast_2d(found.keys)

    return find


def _vp_tree(codes: Codes) -> Search:
    import pynear

    tree = pynear.VPTreeBinaryIndex()
    tree.set(codes)

    def find(queries: Codes, k: int) -> Answer:
        ids, distances = tree.searchKNN(queries, k)
        # The farthest comes first.
        return np.array(distances)[:, ::-1], np.array(ids)[:, ::-1]

    return find
