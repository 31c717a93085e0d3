"""What walks through the bucket tables take after scans, and once they are the habit.

The planner tries another way for a few queries now and then
(``csrc/planner/history.c``). Where a walk and a scan take nearly the same time, that says too
little of walks: their tables are not in the cache.
Run with ``python -m benchmarks.warming``.
"""

from __future__ import annotations

import argparse
import statistics
import time

import hashret

from . import data, peers
from .data import Codes
from .sizes import size

TOGETHER = 16
SCANNED, SCANS = 100, 4
WALKS, ROUNDS = 40, 30


def _seconds(index: hashret.Index, queries: Codes) -> float:
    """Time of a query."""
    began = time.perf_counter()
    index.search(queries, 1, threads=1)
    return (time.perf_counter() - began) / len(queries)


def measure(count: int) -> tuple[float, list[float]]:
    """Time of a scan, and of walks one batch after the other, in seconds a query.

    Parameters
    ----------
    count : int
        Random codes of 64 bits.
    """
    asked = SCANS * SCANNED + WALKS * TOGETHER
    codes, queries, bits = data.SYNTHETIC["uniform"](count, 64, queries=asked * ROUNDS)
    scan, walk = (peers.build(codes, bits, kind=kind) for kind in ("scan", "mih"))
    scans: list[float] = []
    walks: list[list[float]] = [[] for _ in range(WALKS)]
    for start in range(0, len(queries), asked):
        at = start
        for _ in range(SCANS):
            scans.append(_seconds(scan, queries[at : at + SCANNED]))
            at += SCANNED
        for taken in walks:
            taken.append(_seconds(walk, queries[at : at + TOGETHER]))
            at += TOGETHER
    return statistics.median(scans), [statistics.median(taken) for taken in walks]


def main() -> None:
    """Print what the first, the fifth and the last batch of walks take."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=size, default="medium", help="codes (default: %(default)s)")
    scan, walks = measure(parser.parse_args().size)
    print(f"scan: {scan * 1e6:.0f} us a query, the nearest code, in batches of {SCANNED}")
    for number in (1, 2, 5, 10, 20, WALKS):
        queries = (number - 1) * TOGETHER
        print(f"walk after {queries} others: {walks[number - 1] * 1e6:.0f} us")


if __name__ == "__main__":
    main()
