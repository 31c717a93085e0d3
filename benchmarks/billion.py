"""A billion codes of 64 bits in one process: built, saved, mapped, searched, and checked.

``python -m benchmarks.billion --out DIR`` needs 22 GiB of memory and 40 GB of disk, and takes
about an hour; ``--size`` makes it smaller. A file that is already in DIR is searched as it is.
The codes are drawn a piece at a time, and again for faiss, whose flat search of every piece is the
independent check of our answers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import hashret
from hashret import _native

from . import check, machine, peers
from .data import Codes
from .peak_memory import forget_peak, resident
from .tour import Tour

BITS, K = 64, 10
PIECE = 1 << 24
CENTRES = 1000
GOAL = 30.0


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing, and write what was measured."""
    options = _parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{options.data}-{options.size}-{options.tables}.hri"
    report = path.with_suffix(".json")
    found: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {}
    found |= {"size": options.size, "data": options.data, "machine": machine.facts()}
    stages: dict[str, Callable[[], dict[str, Any]]] = {
        "build": lambda: _build(path, options),
        "search": lambda: _search(path, options),
    }
    for name, run in stages.items():
        if name == "build" and path.exists():
            continue
        before, began = forget_peak(), time.perf_counter()
        measured = run()
        found[name] = {
            **measured,
            "seconds": time.perf_counter() - began,
            "resident before, GiB": before / 2**30,
            "resident at most, GiB": resident("VmHWM") / 2**30,
        }
        report.write_text(json.dumps(found, indent=1) + "\n")
        print(json.dumps({name: found[name]}, indent=1))
    return 0


def pieces(data: str, size: int, seed: int = 0) -> Iterator[Codes]:
    """Draw the codes, the same each time, a piece after the other."""
    for number, start in enumerate(range(0, size, PIECE)):
        yield _draw(data, size, min(PIECE, size - start), np.random.default_rng([seed, number]))


def _draw(data: str, size: int, count: int, rng: np.random.Generator) -> Codes:
    """Uniform words; or words of size / 1000 centres, each bit flipped with probability 1/8."""
    words = rng.integers(0, 2**64, count, np.uint64)
    if data == "clustered":
        # A bit that is set in three random words is set with probability 1/8.
        for _ in range(2):
            words &= rng.integers(0, 2**64, count, np.uint64)
        words ^= _centres(rng.integers(0, max(size // CENTRES, 1), count, np.uint64))
    return words.view(np.uint8).reshape(count, BITS // 8)


def _centres(numbers: Any) -> Any:
    """A random word for each number, without a table (SplitMix64: Steele et al., 2014)."""
    mixed = numbers * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _build(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    index = hashret.Index(BITS, tables=options.tables)
    began = time.perf_counter()
    for codes in _bar("adding", pieces(options.data, options.size), options.size):
        index.add(codes)
    added = time.perf_counter()
    index.search(next(pieces(options.data, PIECE))[:1], 1, threads=1)
    ready = time.perf_counter()
    stats = index.stats()
    index.save(path)
    return {
        "add, seconds": added - began,
        "tables, seconds": ready - added,
        "save, seconds": time.perf_counter() - ready,
        "codes a second": options.size / (ready - began),
        "file, GB": path.stat().st_size / 1e9,
        **stats,
    }


def _search(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    began = time.perf_counter()
    index = hashret.Index.load(path, mmap=True)
    mapped = time.perf_counter() - began
    # Other random numbers than the codes', of the same centres.
    rng = np.random.default_rng([1, 0])
    queries = _draw(options.data, options.size, options.queries + 1, rng)
    _read(path)
    engines = {"hashret": peers.ours(index), "linear scan": scanning(index)}
    tour = Tour(engines, queries, K, seconds=options.seconds)
    check.agree({"hashret": tour.found("hashret"), "hashret scan": tour.found("linear scan")})
    asked = queries[1 : 1 + len(tour.seconds["hashret"])]
    flat = _flat(options, asked[: options.checked])
    check.agree({"hashret": tour.found("hashret", options.checked), "faiss flat": flat[0]})
    return {
        "map, ms": mapped * 1e3,
        "queries": len(asked),
        "checked with faiss": len(asked[: options.checked]),
        "hashret, ms": tour.median() * 1e3,
        "linear scan, ms": tour.median("linear scan") * 1e3,
        "faiss flat, ms": flat[1] * 1e3,
        "linear scan / hashret": tour.ratio("linear scan"),
        "faiss flat / hashret": flat[1] / tour.median(),
        "goal": GOAL,
        "passed": tour.ratio("linear scan") >= GOAL,
        "explained": str(index.explain(queries[:1], K)),
    }


def scanning(index: hashret.Index) -> peers.Search:
    """Search the same codes in the same index by comparing all: the public search would choose."""

    def find(queries: Codes, k: int) -> peers.Answer:
        shape = (len(queries), k)
        distances, ids = np.empty(shape, np.int32), np.empty(shape, np.int64)
        request = _native.Request(queries, len(queries), index.bits, scan=True)
        with _native.Reader(index._native) as reader:
            reader.search(request, k, distances, ids)
        return distances, ids

    return find


def _flat(options: argparse.Namespace, queries: Codes) -> tuple[peers.Answer, float]:
    """faiss's nearest over all pieces, and its seconds a query."""
    taken, distances = 0.0, np.empty((len(queries), 0), np.int32)
    for codes in _bar("checking", pieces(options.data, options.size), options.size):
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


def _bar(title: str, codes: Iterator[Codes], size: int) -> Iterator[Codes]:
    began = time.perf_counter()
    done = 0
    for piece in codes:
        yield piece
        done += len(piece)
        spent = time.perf_counter() - began
        print(f"\r{title} {done:,} of {size:,}, {spent:.0f} s ", end="", file=sys.stderr)
    print(file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.billion", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the index and report")
    parser.add_argument("--size", type=int, default=10**9, help="codes (default: 1,000,000,000)")
    parser.add_argument("--data", choices=("uniform", "clustered"), default="uniform")
    parser.add_argument("--tables", type=int, default=2, help="tables of the index (default: 2)")
    parser.add_argument("--queries", type=int, default=50, help="queries to time (default: 50)")
    parser.add_argument("--checked", type=int, default=5, help="queries that faiss answers too")
    parser.add_argument("--seconds", type=float, default=300, help="time for the queries at most")
    return parser


if __name__ == "__main__":
    sys.exit(main())
