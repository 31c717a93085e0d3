"""Targets of exact search in buckets."""

from __future__ import annotations

from collections.abc import Iterator

from .. import check, data, lists, peers
from ..data import Searched
from ..duel import Duel
from ..sizes import SIZES
from ..tour import Tour
from . import Row, ratio, target

K = 10
QUERIES = 51
# Ten million codes in so many lists: few long ones or many short ones, what suits faiss better.
LISTS = (1024, 4096)
RECALL = 0.95


@target(7, "Exact 10-NN of one query, 64 bits", most=SIZES["huge"])
def one_query(size: int) -> Iterator[Row]:
    for kind, goal in (("uniform", 15.0), ("clustered", 100.0)):
        searched = data.SYNTHETIC[kind](size, 64, queries=QUERIES)
        tour = _tour(searched, _engines(searched))
        case = f"{size:,} {kind} codes"
        yield _against_flat(case, tour, goal if size >= SIZES["huge"] else None)
        yield _row(f"{case}, hashret scan", tour, "hashret scan")


@target(8, "Exact 10-NN of one query, 64 bits, clustered")
def clustered(size: int) -> Iterator[Row]:
    searched = data.clustered(size, 64, queries=QUERIES)
    engines = _engines(searched)
    flat = engines["faiss flat"](searched.queries, K)[0]
    found = {
        f"faiss IVF-{count}, {way.probes} probes": way.search
        for count in LISTS
        if (way := lists.reaching(searched, count, flat, RECALL))
    }
    tour = _tour(searched, engines | found)
    stated = size >= SIZES["large"]
    case = f"{size:,} clustered codes"
    yield _against_flat(case, tour, 20.0 if stated else None)
    for name in found:
        recall = check.recall(tour.found(name)[0], tour.found("faiss flat")[0])
        yield Row(
            f"{case}, our time / {name} (recall {recall:.3f})",
            1 / tour.ratio(name),
            3.0 if stated else None,
            at_most=True,
            best=1 / tour.ratio(name, best=True),
        )


@target(10, "Collapsed codes, batch of 100")
def collapsed(size: int) -> Iterator[Row]:
    large = SIZES["large"]
    cases = [(60_000, 300, 10.0), (60_000, 1, None), (size, 3000, 500.0 if size >= large else None)]
    for count, values, goal in cases:
        codes, queries, bits = data.collapsed(count, values, 64)
        engines = peers.exact(codes, bits) | peers.kinds(codes, bits, "scan")
        check.answers(engines, queries, codes, K)
        contest = Duel(peers.asking(engines, queries, K), rival_seconds=20).play(9)
        case = f"{count:,} items on {values:,} values"
        yield ratio(case, contest, "faiss flat", goal)
        yield ratio(case, contest, "hashret scan", 1.0)


@target(12, "Bytes an item, 64 bits", most=SIZES["huge"])
def bytes_an_item(size: int) -> Iterator[Row]:
    codes, _, bits = data.uniform(size, 64, queries=2)
    goal = 18.0 if size >= SIZES["huge"] else None
    for name, tables in (("tables as suits", None), ("two tables", 2)):
        index = peers.build(codes, bits, kind="mih", tables=tables)
        size_of_one = float(index.stats()["bytes_per_code"])
        yield Row(f"{size:,} codes, {name}", size_of_one, goal, at_most=True, unit=" bytes")
        del index


def _engines(searched: Searched) -> dict[str, peers.Search]:
    codes, _, bits = searched
    ours = peers.kinds(codes, bits, "auto", "scan")
    return ours | {"faiss flat": peers.faiss_flat(codes, bits).search}


def _tour(searched: Searched, engines: dict[str, peers.Search]) -> Tour:
    """Time all queries; what is exact must give the same answers."""
    tour = Tour(engines, searched.queries, K)
    exact = [name for name in engines if "IVF" not in name]
    check.agree({name: tour.found(name) for name in exact})
    return tour


def _against_flat(case: str, tour: Tour, goal: float | None) -> Row:
    return _row(f"{case}, faiss flat", tour, "faiss flat", goal)


def _row(case: str, tour: Tour, rival: str, goal: float | None = None) -> Row:
    return Row(case, tour.ratio(rival), goal, best=tour.ratio(rival, best=True))
