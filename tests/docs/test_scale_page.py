"""The page on scale: its rows say all its figures, and the sums are right."""

from __future__ import annotations

import importlib

import pytest

GIB = 2**30


@pytest.fixture
def maker(docs, monkeypatch):
    monkeypatch.syspath_prepend(docs)
    return importlib.import_module("make_scale")


@pytest.fixture
def rows(docs, maker):
    return [maker.read(docs / f"scale{name}.jsonl") for name in maker.FILES]


def test_the_page_is_that_of_its_rows(docs, maker, rows):
    assert (docs / "scale.md").read_text(encoding="utf-8") == maker.page(*rows)
    assert (docs / "images" / "scale-tail.png").stat().st_size > 10_000


def test_every_constant_is_in_the_page(maker, rows):
    """A row that is twice as much changes the page: nothing in it was written by hand."""
    costs, tail, samples, real = rows
    page = maker.page(*rows)
    most = {(row["name"], row.get("bits"), row.get("data")): row for row in costs}
    for row in most.values():
        if row["name"] == "machine":
            continue
        told = [{**one, "value": 2 * one["value"]} if one is row else one for one in costs]
        assert maker.page(told, tail, samples, real) != page, row["name"]
    for row in tail:
        told = [{**one, "p99": 2 * one["p99"]} if one is row else one for one in tail]
        assert maker.page(costs, told, samples, real) != page, row
    for row in real:
        told = [{**one, "measured": 2 * one["measured"]} if one is row else one for one in real]
        assert maker.page(costs, tail, samples, told) != page, row


def test_sums_by_hand(maker):
    plan = maker.Plan(10**11, 256, "scan", 32.0, 240.0, 3.2e12)
    # 3.2e12 bytes twice, on nodes that hold 0.8 of 256 GiB; 100 queries of 240 s on 32 cores.
    assert plan.for_memory == -(-64 * 10**11 // int(0.8 * 256 * GIB)) == 30
    assert plan.for_cores == 750
    # 3.2e12 bytes a query at 200e9 a second.
    assert plan.for_bandwidth == plan.nodes == 1600
    assert plan.short == "bandwidth of memory"
    small = maker.Plan(10**6, 64, "tables, uniform", 8.0, 0.001, 0.0)
    assert (small.for_memory, small.for_cores, small.for_bandwidth, small.nodes) == (1, 1, 0, 2)


def test_costs_of_plans(maker):
    row = {"codes": 10**7}
    rows = [
        {"name": name, "bits": bits, "value": value, **row}
        for bits in (64, 256)
        for name, value in (
            ("scan_bytes", bits / 8),
            ("scan_seconds", 2e-9),
            ("scan_batch_seconds", 1e-9),
        )
    ]
    rows += [
        {"name": name, "bits": bits, "data": data, "value": value, **row}
        for bits in (64, 256)
        for data in ("clustered", "uniform")
        for name, value in (("query_seconds", 0.001), ("bytes", 40.0))
    ]
    found = {(p.images, p.bits, p.way): p for p in maker.plans(maker.Rows(rows))}
    assert len(found) == 16
    assert found[10**9, 64, "scan"].core_seconds == pytest.approx(2)
    assert found[10**11, 64, "scan, batches"].core_seconds == pytest.approx(100)
    assert found[10**11, 64, "scan"].read == 8e11
    assert found[10**11, 64, "scan, batches"].read == 8e9
    # A hundred shards of ten million codes.
    assert found[10**9, 256, "tables, uniform"].core_seconds == pytest.approx(0.1)
    assert found[10**9, 256, "tables, uniform"].read == 0
    slow = [{**row, "value": 0.011} if row["name"] == "query_seconds" else row for row in rows]
    scanned = {(p.images, p.bits, p.way): p for p in maker.plans(maker.Rows(slow))}
    assert scanned[10**9, 256, "tables, uniform"].read == 32e9
    with pytest.raises(SystemExit, match="no row of scan_bytes"):
        maker.plans(maker.Rows(rows[1:]))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (("size", 36.1e9), "36.1 GB"),
        (("size", 999), "999 B"),
        (("size", 999.9e6), "1 GB"),
        (("seconds", 0.9999), "1 s"),
        (("seconds", 999.9), "1,000 s"),
        (("seconds", 0.0023), "2.3 ms"),
        (("seconds", 4.7e-7), "470 ns"),
        (("duration", 90_000), "25 h"),
        (("duration", 3 * 86400), "3 days"),
        (("number", 1e9), "1,000,000,000"),
    ],
)
def test_figures_as_they_are_read(maker, told, expected):
    name, value = told
    assert getattr(maker, name)(value) == expected
