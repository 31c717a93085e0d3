"""A billion codes of 64 bits in one process: built, saved, mapped, searched and checked.

The codes are drawn a piece at a time, and again for faiss, whose flat search of every piece is the
independent check of our answers. It takes some ten minutes, and of disk what the index takes.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import hashret
from hashret import _native

from .. import check, data, peers
from ..data import Codes
from ..peak_memory import forget_peak, resident
from ..sizes import SIZES
from ..tour import Tour
from . import Row, target

BITS, K = 64, 10
PIECE = 1 << 24
QUERIES, SECONDS = 50, 300.0
CHECKED = 5
MAPS = 5
GIB = 22.0


@target(13, "A billion codes in one process", least=SIZES["billion"], most=SIZES["billion"])
def billion(size: int) -> Iterator[Row]:
    data.CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=data.CACHE) as folder:
        path = Path(folder) / "codes.hri"
        yield from _build(path, size)
        yield from _search(path, size)


def _build(path: Path, size: int) -> Iterator[Row]:
    forget_peak()
    index = hashret.Index(BITS)
    began = time.perf_counter()
    for codes in pieces(size):
        index.add(codes)
    index.compact()
    index.search(codes[:1], 1, threads=1)
    ready = time.perf_counter()
    index.save(path)
    saved = time.perf_counter()
    yield Row("until the first answer", (ready - began) / 60, unit=" min")
    yield Row("saved", (saved - ready) / 60, unit=" min")
    yield Row("bytes an item", index.stats()["bytes_per_code"], unit=" B")
    yield _memory("build and save")


def _search(path: Path, size: int) -> Iterator[Row]:
    forget_peak()
    yield Row("mapped", statistics.median(_map(path) for _ in range(MAPS)) * 1e3, unit=" ms")
    index = hashret.Index.load(path, mmap=True)
    # Other random numbers than the codes'.
    queries = _draw(QUERIES + 1, np.random.default_rng([1, 0]))
    _read(path)
    engines = {"hashret": peers.ours(index), "linear scan": scanning(index)}
    tour = Tour(engines, queries, K, seconds=SECONDS)
    check.agree({"hashret": tour.found("hashret"), "linear scan": tour.found("linear scan")})
    flat, seconds = _flat(size, queries[1 : 1 + CHECKED])
    check.agree({"hashret": tour.found("hashret", CHECKED), "faiss flat": flat})
    yield Row("10-NN of one query, linear scan", tour.ratio("linear scan"), 30.0)
    yield Row("10-NN of one query, faiss flat in pieces", seconds / tour.median())
    yield Row("10-NN of one query", tour.median() * 1e3, unit=" ms")
    yield _memory("map and search")


def _memory(what: str) -> Row:
    """The most memory that the process had since it was last asked to forget."""
    return Row(f"{what}, memory at most", resident("VmHWM") / 2**30, GIB, True, unit=" GiB")


def pieces(size: int) -> Iterator[Codes]:
    """Draw uniform codes, the same each time, a piece after the other."""
    for number, start in enumerate(range(0, size, PIECE)):
        yield _draw(min(PIECE, size - start), np.random.default_rng([0, number]))


def _draw(count: int, rng: np.random.Generator) -> Codes:
    return rng.integers(0, 2**64, count, np.uint64).view(np.uint8).reshape(count, BITS // 8)


def _map(path: Path) -> float:
    began = time.perf_counter()
    hashret.Index.load(path, mmap=True)
    return time.perf_counter() - began


def scanning(index: hashret.Index) -> peers.Search:
    """Search the same codes in the same index by comparing all: the public search would choose."""

    def find(queries: Codes, k: int) -> peers.Answer:
        shape = (len(queries), k)
        distances, ids = np.empty(shape, np.int32), np.empty(shape, np.int64)
        request = _native.Request(queries, index.bits, scan=True)
        with _native.Reader(index._native) as reader:
            reader.search(request, k, distances, ids)
        return distances, ids

    return find


def _flat(size: int, queries: Codes) -> tuple[peers.Answer, float]:
    """faiss's nearest over all pieces, and its seconds a query."""
    taken, distances = 0.0, np.empty((len(queries), 0), np.int32)
    for codes in pieces(size):
        flat = peers.faiss_flat(codes, BITS)
        began = time.perf_counter()
        part = np.concatenate([flat.search(query[None], K)[0] for query in queries])
        taken += time.perf_counter() - began
        distances = np.sort(np.concatenate([distances, part], axis=1), axis=1)[:, :K]
    # Ids of equal distances come in any order in faiss: only distances are compared.
    return (distances, np.empty((0, K), np.int64)), taken / len(queries)


def _read(path: Path) -> None:
    """Read the file once, so that no query waits for the disk."""
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 24):
            pass
