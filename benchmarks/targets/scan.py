"""Targets of the exhaustive search."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import hashret

from .. import check, data, peers
from ..duel import Duel, repeated
from . import Row, ratio, target

K = 10


@target(1, "One query, 64 bits")
def one_query(size: int) -> Iterator[Row]:
    codes, queries, bits = data.uniform(size, 64)
    engines = _engines(codes, bits)
    check.answers(engines, queries, codes, K)
    calls = peers.asking(engines, queries[:1], K)
    # Looking for a byte that is not there reads as many bytes, by the C library's memchr.
    room = bytearray(codes.nbytes)
    calls["reading as many bytes"] = lambda: room.find(b"\1")
    contest = Duel(calls).play(25)
    yield ratio(f"{size:,} codes", contest, "faiss flat", 2.0)
    yield ratio(f"{size:,} codes", contest, "reading as many bytes", 0.9)


@target(2, "One query, 128 and 256 bits")
def one_long_query(size: int) -> Iterator[Row]:
    for bits in (128, 256):
        codes, queries, _ = data.uniform(size * 64 // bits, bits)
        engines = _engines(codes, bits)
        check.answers(engines, queries, codes, K)
        calls = peers.asking(engines, queries[:1], K)
        yield ratio(f"{len(codes):,} x {bits} bits", Duel(calls).play(25), "faiss flat", 1.2)


@target(3, "Batch of 100 queries")
def batch(size: int) -> Iterator[Row]:
    for bits, goal in ((64, 8.0), (128, 5.0), (256, 3.0)):
        yield _batch(size, bits, goal)


@target(4, "Batch of 100 queries, AVX2 forced")
def batch_avx2(size: int) -> Iterator[Row]:
    if hashret.cpu()["isa"] == "avx2":
        yield _batch(size, 64, 2.5)
    elif "avx2" in hashret.cpu()["supported"]:
        yield from _forced("avx2", 4, size)


@target(19, "Batch of 200 queries, AVX2 or forced to it")
def longer_batch_avx2(size: int) -> Iterator[Row]:
    supported = hashret.cpu()["supported"]
    if hashret.cpu()["isa"] == "avx2":
        for bits, goal in ((64, 8.0), (128, 3.5), (256, 3.0), (512, 1.7)):
            # Where there is more than AVX2, faiss uses it.
            yield _batch(size, bits, goal if supported[0] == "avx2" else None, queries=200)
    elif "avx2" in supported:
        yield from _forced("avx2", 19, size)


@target(5, "k = 1000 against k = 10")
def many_neighbours(size: int) -> Iterator[Row]:
    codes, queries, bits = data.uniform(size, 64)
    search = peers.ours(peers.build(codes, bits, kind="scan"))
    check.answers({"hashret": search}, queries, codes, 1000)
    for case, asked in (("one query", queries[:1]), ("batch of 100", queries)):
        calls = {"hashret": partial(search, asked, K), "k = 1000": partial(search, asked, 1000)}
        contest = Duel(calls).play(15)
        best = contest.ratio("k = 1000", best=True)
        yield Row(
            f"{size:,} codes, {case}", contest.ratio("k = 1000"), 1.5, at_most=True, best=best
        )


@target(6, "One query on two cores")
def two_cores(size: int) -> Iterator[Row]:
    codes, queries, bits = data.uniform(size * 10, 64, queries=3)
    index = peers.build(codes, bits, kind="scan")
    check.answers({"hashret": lambda q, k: index.search(q, k, threads=2)}, queries, codes, K)
    count = len(codes)
    del codes
    calls = {
        "hashret": lambda: index.search(queries[:1], K, threads=2),
        "one core": lambda: index.search(queries[:1], K, threads=1),
    }
    yield ratio(f"{count:,} codes", Duel(calls).play(25), "one core", 1.7)


@target(14, "Filter that keeps 1%, against no filter")
def filtered(size: int) -> Iterator[Row]:
    codes, queries, bits = data.uniform(size, 64)
    index = peers.build(codes, bits, kind="scan")
    kept = index.ids[::100]
    mask = index.ids % 100 == 0
    distances, ids = check.nearest(queries[:3], codes[kept], K)
    for case, wanted in (("ids", kept), ("mask", mask)):
        found = index.search(queries[:3], K, filter=wanted, threads=1)
        assert (found[0] == distances).all()
        assert (found[1] == kept[ids]).all()
        for name, asked in (("one query", queries[:1]), ("batch of 100", queries)):
            plain = partial(index.search, asked, K, threads=1)
            calls = {"hashret": plain, "filtered": partial(plain, filter=wanted)}
            contest = Duel(calls).play(9)
            best = contest.ratio("filtered", best=True)
            yield Row(
                f"{size:,} codes, {case}, {name}", contest.ratio("filtered"), 1.0, True, best=best
            )


@target(18, "Call on 1,000 codes")
def small_call(size: int) -> Iterator[Row]:
    codes, queries, bits = data.uniform(1000, 64)
    engines = peers.exact(codes, bits)
    check.answers(engines, queries, codes, K)
    calls = {
        name: repeated(call, 200) for name, call in peers.asking(engines, queries[:1], K).items()
    }
    yield ratio("1,000 codes", Duel(calls).play(35), "faiss flat", 1.0)


def _engines(codes: data.Codes, bits: int) -> dict[str, peers.Search]:
    return {
        "hashret": peers.ours(peers.build(codes, bits, kind="scan")),
        "faiss flat": peers.faiss_flat(codes, bits).search,
    }


def _batch(size: int, bits: int, goal: float | None, queries: int = 100) -> Row:
    codes, asked, _ = data.uniform(size * 64 // bits, bits, queries=queries)
    engines = _engines(codes, bits)
    check.answers(engines, asked, codes, K)
    calls = peers.asking(engines, asked, K)
    contest = Duel(calls, rival_seconds=20).play(9)
    return ratio(f"{len(codes):,} x {bits} bits", contest, "faiss flat", goal)


def _forced(isa: str, number: int, size: int) -> Iterator[Row]:
    """Measure a target in a process of its own, with its instruction set."""
    command = [sys.executable, "-m", "benchmarks.report", "--only", str(number)]
    done = subprocess.run(
        [*command, "--size", str(size), "--rows"],
        env={**os.environ, "HASHRET_ISA": isa},
        cwd=Path(__file__).parents[2],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    for row in json.loads(done.stdout):
        yield Row(**row)
