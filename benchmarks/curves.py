"""Latency against the number of codes; time against recall."""

from __future__ import annotations

import functools
from typing import Any

import hashret

from . import check, data, graphs, lists, lsh, peers
from .data import Real, Searched
from .duel import OURS, Duel
from .sizes import SIZES
from .tour import Tour

K = 10
Point = dict[str, Any]
Ways = dict[tuple[str, str], lsh.Way]

KINDS = ("uniform", "clustered")
QUERIES = 31
# Above so many codes the oracle takes minutes, and faiss's clustering longer.
ORACLE_CODES, IVF_CODES = SIZES["medium"], SIZES["large"]
IVF_LISTS, IVF_RECALL = 1024, 0.95

PROBES = (1, 2, 4, 8, 16, 32, 64)
FLIPS = (0, 1, 2)
# The largest index of bucket tables that faiss builds in a minute.
TABLED_CODES = SIZES["medium"]


def latency(size: int) -> list[Point]:
    """Median time of one query on 64-bit codes of growing number, in microseconds."""
    points = []
    for kind in KINDS:
        count = 1000
        while count <= size:
            tour = _tour(data.SYNTHETIC[kind](count, 64, queries=QUERIES))
            points += [
                {
                    "data": kind,
                    "engine": "hashret auto" if name == OURS else name,
                    "codes": count,
                    "microseconds": tour.median(name) * 1e6,
                }
                for name in tour.seconds
            ]
            count *= 10
    return points


def _tour(searched: Searched) -> Tour:
    codes, queries, bits = searched
    engines = peers.exact(codes, bits, slow=True) | peers.kinds(codes, bits, "scan", "mih")
    if len(codes) <= ORACLE_CODES:
        check.answers(engines, queries, codes, K)
    exact = engines["faiss flat"](queries, K)[0]
    approximate = {}
    if len(codes) <= IVF_CODES:
        way = lists.reaching(searched, IVF_LISTS, exact, IVF_RECALL)
        if way:
            approximate[f"faiss IVF (recall {IVF_RECALL})"] = way.search
    tour = Tour(engines | approximate, queries, K, seconds=20)
    check.agree({name: tour.found(name, 5) for name in engines})
    return tour


def recall(size: int) -> list[Point]:
    """Time a query, in a batch, and recall of the exact ten nearest."""
    points = []
    real = data.fashion_mnist_codes(16, 16, whole=size >= SIZES["medium"])
    codes, queries, bits = data.clustered(min(size, TABLED_CODES), 64, queries=500)
    drawn = Real(codes, queries, None, bits, 4, f"clustered, {len(codes):,} codes")
    for searched in (real, drawn):
        ways = _ways(searched)
        scan = ("hashret scan (exact)", "all codes")
        calls = {f"{engine}, {setting}": way.search for (engine, setting), way in ways.items()}
        contest = Duel({OURS: ways[scan].search, **calls}).play(5)
        points += [
            {
                "data": searched.source,
                "engine": engine,
                "setting": setting,
                "recall": way.recall,
                "candidates": way.checked,
                "microseconds": contest.median(f"{engine}, {setting}")
                * 1e6
                / len(searched.queries),
            }
            for (engine, setting), way in ways.items()
        ]
    return points


def _ways(real: Real) -> Ways:
    scans = peers.exact(real.codes, real.bits) | peers.kinds(real.codes, real.bits, "scan")
    check.answers(scans, real.queries, real.codes, K)
    exact = scans["faiss flat"](real.queries, K)[0]
    ways = _tables(real, exact)
    searched = Searched(real.codes, real.queries, real.bits)
    for way in lists.sweep(searched, 256, exact, PROBES):
        call = functools.partial(way.search, real.queries, K)
        ways["faiss IVF-256", f"{way.probes} probes"] = lsh.Way(call, way.recall, None)
    for name, setting, search in graphs.searches(real.codes, real.bits):
        call = functools.partial(search, real.queries, K)
        ways[name, setting] = lsh.Way(call, check.recall(call()[0], exact), None)
    for name, search in scans.items():
        call = functools.partial(search, real.queries, K)
        title = {OURS: "hashret auto", "hashret scan": "hashret scan"}.get(name, name)
        checked = None if name == OURS else len(real.codes)
        setting = "as planned" if name == OURS else "all codes"
        ways[f"{title} (exact)", setting] = lsh.Way(call, 1.0, checked)
    return ways


def _tables(real: Real, exact: Any) -> Ways:
    index = peers.build(real.codes, real.bits, kind="lsh", tables=real.tables)
    width = real.bits // real.tables
    ways: Ways = _by_margins(index, real, exact) if real.margins is not None else {}
    for flips in FLIPS:
        count = lsh.probes(width, flips)
        ways["hashret, by flips", f"{count} probes"] = lsh.ours(index, real, count, exact, False)
    for name, peer in (
        ("faiss MultiHash", peers.multi_hash(real)),
        ("faiss Hash", peers.single_hash(real)),
    ):
        for flips in FLIPS:
            ways[name, f"{flips} flips"] = lsh.theirs(peer, real, flips, exact)
    return ways


def _by_margins(index: hashret.Index, real: Real, exact: Any) -> Ways:
    return {
        ("hashret, by margins", f"{count} probes"): lsh.ours(index, real, count, exact, True)
        for count in PROBES
    }
