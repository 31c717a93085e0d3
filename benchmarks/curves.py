"""Latency against the number of codes; time against recall."""

from __future__ import annotations

import functools
from typing import Any

from . import check, data, lsh, peers
from .duel import Duel
from .sizes import SIZES

K = 10
Point = dict[str, Any]

PROBES = (1, 2, 4, 8, 16, 32, 64)
FLIPS = (0, 1, 2)
SCAN = ("hashret scan (exact)", "all codes")


def latency(size: int) -> list[Point]:
    """Median time of one query on 64-bit codes of growing number, in microseconds."""
    points = []
    count = 1000
    while count <= size:
        codes, queries, bits = data.uniform(count, 64)
        engines = peers.exact(codes, bits, slow=True)
        check.answers(engines, queries, codes, K)
        calls = peers.asking(engines, queries[:1], K)
        contest = Duel(calls).play(15)
        points += [
            {"engine": name, "codes": count, "microseconds": contest.median(name) * 1e6}
            for name in calls
        ]
        count *= 10
    return points


def recall(size: int) -> list[Point]:
    """Time a query and recall of the exact ten nearest, over 16 tables of 16 bits."""
    real = data.fashion_mnist_codes(16, 16, whole=size >= SIZES["medium"])
    exact = check.nearest(real.queries, real.codes, K)[0]
    ways = _ways(real, exact)
    calls = {f"{engine}, {setting}": way.search for (engine, setting), way in ways.items()}
    contest = Duel({"hashret": ways[SCAN].search, **calls}).play(5)
    return [
        {
            "engine": engine,
            "setting": setting,
            "recall": way.recall,
            "candidates": way.checked,
            "microseconds": contest.median(f"{engine}, {setting}") * 1e6 / len(real.queries),
        }
        for (engine, setting), way in ways.items()
    ]


def _ways(real: data.Real, exact: Any) -> dict[tuple[str, str], lsh.Way]:
    index = peers.build(real.codes, real.bits, kind="lsh", tables=real.tables)
    width = real.bits // real.tables
    ways = {}
    for count in PROBES:
        ways["hashret, by margins", f"{count} probes"] = lsh.ours(index, real, count, exact, True)
    for flips in FLIPS:
        count = lsh.probes(width, flips)
        ways["hashret, by flips", f"{count} probes"] = lsh.ours(index, real, count, exact, False)
    for name, peer in (
        ("faiss MultiHash", peers.multi_hash(real)),
        ("faiss Hash", peers.single_hash(real)),
    ):
        for flips in FLIPS:
            ways[name, f"{flips} flips"] = lsh.theirs(peer, real, flips, exact)
    scans = peers.exact(real.codes, real.bits)
    for name, search in scans.items():
        way = lsh.Way(functools.partial(search, real.queries, K), 1.0, len(real.codes))
        ways[f"{name} (exact)".replace("hashret", "hashret scan"), "all codes"] = way
    return ways
