"""What probing bucket tables takes after scans, and once the tables are in the cache.

The planner tries another way for a few queries now and then (``csrc/planner/history.c``). Where
probing and a scan take nearly the same time, that says too little of probing: its tables are not
in the cache.
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
BATCHES, ROUNDS = 40, 30


def _seconds(index: hashret.Index, queries: Codes) -> float:
    """Time of a query."""
    began = time.perf_counter()
    index.search(queries, 1, threads=1)
    return (time.perf_counter() - began) / len(queries)


def measure(count: int) -> tuple[float, list[float]]:
    """Time of a scan, and of probing the tables one batch after the other, in seconds a query.

    Parameters
    ----------
    count : int
        Random codes of 64 bits.
    """
    asked = SCANS * SCANNED + BATCHES * TOGETHER
    codes, queries, bits = data.SYNTHETIC["uniform"](count, 64, queries=asked * ROUNDS)
    scan, tables = (peers.build(codes, bits, kind=kind) for kind in ("scan", "mih"))
    scans: list[float] = []
    probing: list[list[float]] = [[] for _ in range(BATCHES)]
    for start in range(0, len(queries), asked):
        at = start
        for _ in range(SCANS):
            scans.append(_seconds(scan, queries[at : at + SCANNED]))
            at += SCANNED
        for taken in probing:
            taken.append(_seconds(tables, queries[at : at + TOGETHER]))
            at += TOGETHER
    return statistics.median(scans), [statistics.median(taken) for taken in probing]


def main() -> None:
    """Print what the first, the fifth and the last batch of probing takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=size, default="medium", help="codes (default: %(default)s)")
    scan, probing = measure(parser.parse_args().size)
    print(f"scan: {scan * 1e6:.0f} us a query, the nearest code, in batches of {SCANNED}")
    for number in (1, 2, 5, 10, 20, BATCHES):
        queries = (number - 1) * TOGETHER
        print(f"probing after {queries} others: {probing[number - 1] * 1e6:.0f} us")


if __name__ == "__main__":
    main()
