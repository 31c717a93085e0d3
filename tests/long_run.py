"""Random queries in great number: all exact kinds against numpy.

    python tests/long_run.py                      # 100,000 queries, sizes up to 1,000,000
    python tests/long_run.py --seed 7 --round 123 # one round again

Each round draws a shape (bits, size, kind of data, history, filter), builds an index of every
exact kind and asks all of them the same queries, for the k nearest and for a radius. At the first
difference it prints the command that repeats the round, and exits with 1. Not collected by pytest.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import hashret

KINDS = ("scan", "mih", "auto")
BITS = (1, 5, 8, 16, 24, 31, 48, 63, 64, 64, 64, 65, 96, 100, 128, 128, 200, 256, 300, 512, 1024)
DATA = ("uniform", "clustered", "collapsed", "one value", "leading", "trailing", "consecutive")
# How many in a hundred rounds, the sizes (drawn with a uniform logarithm), and queries a round.
SIZES = ((60, (1, 2_000), 400), (33, (2_000, 50_000), 200), (7, (200_000, 1_000_000), 120))
# Distances of so many pairs at a time.
CHUNK = 1 << 22


@dataclass(frozen=True)
class Shape:
    """What a round is about."""

    bits: int
    size: int
    data: str
    tables: int | None
    suited: int | None  # the radius that tables are made for
    queries: int
    k: int
    radius: int


def draw_shape(rng: np.random.Generator) -> Shape:
    number = rng.choice(len(SIZES), p=[share / 100 for share, _, _ in SIZES])
    _, (least, most), queries = SIZES[number]
    size = int(np.exp(rng.uniform(np.log(least), np.log(most))))
    bits = int(rng.choice(BITS))
    if size > 100_000:
        bits = min(bits, 256)  # the oracle reads every code for every query
    tables = int(rng.integers(1, min(bits, 8) + 1)) if rng.random() < 0.4 else None
    suited = int(rng.integers(bits)) if tables is None and rng.random() < 0.4 else None
    k = int(rng.choice([1, 2, 10, 10, 50, 100, 1000, size, size + 3]))
    return Shape(
        bits=bits,
        size=size,
        data=str(rng.choice(DATA)),
        tables=tables,
        suited=suited,
        queries=queries,
        k=min(k, max(1, 20_000_000 // size // 10)) if size > 2_000 else k,
        radius=int(rng.integers(0, bits + 2) * rng.choice([0.1, 0.3, 1.0], p=[0.5, 0.4, 0.1])),
    )


def draw_bits(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Codes of one kind of data, a bit an element."""
    n, bits = shape.size, shape.bits
    plain = rng.integers(0, 2, (n, bits), dtype=np.uint8)
    if shape.data == "clustered":
        centres = rng.integers(0, 2, (max(1, n // 200), bits), dtype=np.uint8)
        plain = centres[rng.integers(0, len(centres), n)] ^ (rng.random((n, bits)) < 0.05)
    elif shape.data == "collapsed":
        plain = plain[rng.integers(0, int(rng.integers(2, 300)), n) % n]
    elif shape.data == "one value":
        plain[:] = plain[0]
    elif shape.data == "leading":  # constant leading bits
        plain[:, : bits * 3 // 4] = plain[0, : bits * 3 // 4]
    elif shape.data == "trailing":
        plain[:, bits // 4 :] = plain[0, bits // 4 :]
    elif shape.data == "consecutive":
        places = np.arange(min(bits, 20))[::-1]
        plain[:] = 0
        plain[:, bits - len(places) :] = np.arange(n)[:, None] >> places & 1
    return plain


def draw_queries(rng: np.random.Generator, shape: Shape, plain: np.ndarray) -> np.ndarray:
    """Half of them near a code, half anywhere."""
    near = plain[rng.integers(0, len(plain), shape.queries)]
    near = near ^ (rng.random(near.shape) < rng.choice([0.0, 0.02, 0.1]))
    away = rng.integers(0, 2, near.shape, dtype=np.uint8)
    return np.where(rng.random((shape.queries, 1)) < 0.5, near, away).astype(np.uint8)


def as_words(plain: np.ndarray) -> np.ndarray:
    """Any packing will do for distances, as long as it is not the engine's."""
    padded = np.pad(plain, ((0, 0), (0, -plain.shape[1] % 64)))
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


class Oracle:
    """Codes by ascending id, compared one and all."""

    def __init__(self, words: np.ndarray, ids: np.ndarray) -> None:
        order = np.argsort(ids)
        self.words, self.ids = words[order], ids[order]

    def distances(self, query: np.ndarray) -> np.ndarray:
        total = np.zeros(len(self.ids), np.int64)
        for w, word in enumerate(query):
            total += np.bitwise_count(self.words[:, w] ^ word)
        return total

    def answer(self, query: np.ndarray, k: int, radius: int):
        """The k nearest and all within the radius: distances and ids of each."""
        found = self.distances(query)
        below = np.cumsum(np.bincount(found))
        limit = int(np.searchsorted(below, min(k, len(found)))) if len(found) else 0
        return self.ranked(found, limit, k), self.ranked(found, radius, len(found))

    def ranked(self, found: np.ndarray, limit: int, k: int):
        near = np.flatnonzero(found <= limit)  # by id already: a stable sort breaks ties
        near = near[np.argsort(found[near], kind="stable")][:k]
        return found[near], self.ids[near]


@dataclass
class Life:
    """What was done to the indexes, and what they hold now."""

    plain: np.ndarray
    ids: np.ndarray
    indexes: dict[str, hashret.Index]
    allowed: np.ndarray | None = None

    def oracle(self) -> Oracle:
        words = as_words(self.plain)
        if self.allowed is None:
            return Oracle(words, self.ids)
        inside = np.isin(self.ids, self.allowed)
        return Oracle(words[inside], self.ids[inside])

    def remove(self, gone: np.ndarray) -> None:
        for index in self.indexes.values():
            index.remove(gone)
        kept = ~np.isin(self.ids, gone)
        self.plain, self.ids = self.plain[kept], self.ids[kept]

    def update(self, rows: np.ndarray, plain: np.ndarray) -> None:
        for index in self.indexes.values():
            index.update(np.packbits(plain, axis=1), self.ids[rows])
        self.plain[rows] = plain

    def add(self, plain: np.ndarray, ids: np.ndarray) -> None:
        for index in self.indexes.values():
            index.add(np.packbits(plain, axis=1), ids)
        self.plain = np.concatenate([self.plain, plain])
        self.ids = np.concatenate([self.ids, ids])

    def reload(self, mmap: bool) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for kind, index in self.indexes.items():
                path = Path(folder, kind)
                index.save(path)
                self.indexes[kind] = hashret.Index.load(path, mmap=mmap)


def live(rng: np.random.Generator, shape: Shape) -> Life:
    """Build the indexes and change them, as chance will have it."""
    plain = draw_bits(rng, shape)
    ids = np.arange(shape.size, dtype=np.int64)
    if rng.random() < 0.5:
        ids = rng.permutation(3 * shape.size)[: shape.size].astype(np.int64) - shape.size - 2
        ids[ids == -1] = 10 * shape.size
    life = Life(plain[:0], ids[:0], {})
    for kind in KINDS:
        options = {} if kind == "scan" else {"tables": shape.tables, "radius": shape.suited}
        life.indexes[kind] = hashret.Index(shape.bits, kind, **options)
    whole = rng.random() < 0.5
    first = shape.size if whole else int(shape.size * rng.choice([0.8, 0.95]))
    life.add(plain[:first], ids[:first])
    if not whole:
        change(rng, life, plain[first:], ids[first:])
    if rng.random() < 0.15:
        life.reload(mmap=bool(rng.random() < 0.5))
    if rng.random() < 0.3 and len(life.ids):
        life.allowed = life.ids[rng.random(len(life.ids)) < rng.choice([0.001, 0.01, 0.2, 0.9])]
    return life


def change(rng: np.random.Generator, life: Life, plain: np.ndarray, ids: np.ndarray) -> None:
    """Make tables, or begin to; then remove, update and add beside them."""
    for index in life.indexes.values():
        if rng.random() < 0.5:
            index.compact()
        index.search(np.zeros((1, (index.bits + 7) // 8), np.uint8), 1)
    n = len(life.ids)
    if n:
        life.remove(rng.permutation(life.ids)[: int(n * rng.choice([0.001, 0.05, 0.4]))])
        rows = rng.permutation(len(life.ids))[: int(n * rng.choice([0.0, 0.01, 0.1]))]
        life.update(rows, life.plain[rng.permutation(len(life.ids))[: len(rows)]])
    life.add(plain, ids)


def check(rng: np.random.Generator, shape: Shape) -> str | None:
    """Ask every index; tell the first difference."""
    life = live(rng, shape)
    plain = draw_queries(rng, shape, draw_bits(rng, shape) if not len(life.ids) else life.plain)
    wanted, words = life.oracle(), as_words(plain)
    answers = [wanted.answer(query, shape.k, shape.radius) for query in words]
    filter = life.allowed
    if filter is not None and rng.random() < 0.5:
        filter = np.isin(np.sort(life.ids), life.allowed)
    step = int(rng.choice([1, 7, 40, shape.queries]))
    threads = None if rng.random() < 0.5 else 1
    packed = np.packbits(plain, axis=1)
    for kind, index in life.indexes.items():
        for start in range(0, shape.queries, step):
            options = {"filter": filter, "threads": threads}
            told = differs(index, packed[start : start + step], answers[start:], shape, options)
            if told:
                return f"{kind}, query {start + told[0]}, {told[1]}"
    return None


def differs(index, queries, answers, shape: Shape, options) -> tuple[int, str] | None:
    distances, ids = index.search(queries, shape.k, **options)
    lims, near, named = index.range_search(queries, shape.radius, **options)
    for q, ((far, who), (within, inside)) in enumerate(answers[: len(queries)]):
        n, part = len(who), slice(lims[q], lims[q + 1])
        same = np.array_equal(distances[q, :n], far) and np.array_equal(ids[q, :n], who)
        if not same or (ids[q, n:] != -1).any() or (distances[q, n:] != 2**31 - 1).any():
            return q, "search"
        if not (np.array_equal(near[part], within) and np.array_equal(named[part], inside)):
            return q, "range_search"
    return None


def run(seed: int, queries: int) -> int:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    began, done, largest, number = time.process_time(), 0, 0, 0
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("queries", total=queries)
        while done < queries:
            rng = np.random.default_rng([seed, number])
            shape = draw_shape(rng)
            progress.update(task, description=f"round {number}: {shape.size:,} x {shape.bits}")
            if not report(seed, number, shape, check(rng, shape)):
                return 1
            done, number = done + shape.queries, number + 1
            largest = max(largest, shape.size)
            progress.update(task, completed=done)
    spent = time.process_time() - began
    print(
        f"{done:,} queries in {number} rounds, at most {largest:,} codes, {len(KINDS)} kinds, "
        f"search and range_search: no difference. {spent:.0f} s of CPU time, seed {seed}."
    )
    return 0


def report(seed: int, number: int, shape: Shape, told: str | None) -> bool:
    if told:
        print(f"{told}\n{shape}\nagain: python {sys.argv[0]} --seed {seed} --round {number}")
    return told is None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--round", type=int, help="do only this round")
    options = parser.parse_args()
    if options.round is None:
        return run(options.seed, options.queries)
    rng = np.random.default_rng([options.seed, options.round])
    shape = draw_shape(rng)
    return 0 if report(options.seed, options.round, shape, check(rng, shape)) else 1


if __name__ == "__main__":
    sys.exit(main())
