"""The table of groups: pages by key, whatever is decided meanwhile; large tables, damaged files."""

from __future__ import annotations

import resource
import sqlite3
import time

import pytest

pytest.importorskip("web_site")

from hashret.web.groups import Choice, Entry, GroupTable

COUNT = 50_000


def body(number: int) -> dict:
    place = {
        "id": 2 * number,
        "name": f"a photograph of no great interest {number}.jpg",
        "folder": "photos/a year/a month/somewhere",
        "format": "JPEG",
        "width": 4000,
        "height": 3000,
        "bytes": 3_000_000,
    }
    member = {**place, "id": 2 * number + 1, "tier": "near", "distance": 3, "transform": None}
    return {"keep": place, "members": [member]}


def entries(count: int, start: int = 1):
    # Many free as much as others, so that the number has to tell them apart.
    return (Entry(n, n * 7919 % 1000, 2, body(n)) for n in range(start, start + count))


@pytest.fixture
def table(tmp_path):
    table = GroupTable(str(tmp_path / "groups.sqlite"))
    yield table
    table.close()


def all_pages(table, limit):
    found, after = [], None
    while page := table.page(limit, after):
        found += [one.number for one in page]
        after = page[-1].saved, page[-1].number
    return found


@pytest.mark.parametrize("limit", [1, 7, 100, 1000])
def test_pages_are_in_order_and_whole(table, limit):
    table.add(entries(100))
    expected = sorted(entries(100), key=lambda one: (one.saved, one.number), reverse=True)
    assert all_pages(table, limit) == [one.number for one in expected]


def test_what_is_decided_leaves_and_comes_back(table):
    table.add(entries(30))
    first = table.page(10)
    after = first[-1].saved, first[-1].number
    before = table.page(10, after)
    table.close_groups([first[0].number, first[-1].number], 5)
    # The page that follows is the same, although the group that it was asked behind has left.
    assert table.page(10, after) == before
    assert table.counts()[0] == 28
    assert table.one(first[0].number) == first[0]
    table.note("key", [1])
    assert table.reopen(5, 2)
    assert table.fact("key") == [1]
    # There was more under this mark than the table has.
    assert not table.reopen(5, 1)
    assert table.fact("key") != [1]
    assert table.page(10) == first


def test_a_group_gives_its_place_to_others(table):
    table.add(entries(5))
    one, two = (Entry(9, 5, 2, body(number)) for number in (70, 80))
    table.replace(3, [one, two])
    assert table.one(3) == one._replace(number=3)
    assert table.one(6) == two._replace(number=6)
    table.replace(6, [])
    assert table.one(6) is None
    assert table.counts()[0] == 5


def test_a_choice_of_groups(table):
    shown = list(entries(6))
    for one, tier in zip(shown, ["byte-equal", "pixel-equal", "near"] * 2, strict=True):
        one.body["members"][0] |= {"tier": tier, "folder": f"photos/{one.number}% odd"}
    table.add(shown)
    for tier, count in (("byte-equal", 2), ("pixel-equal", 4), ("near", 6), (None, 6)):
        assert len(table.page(10, choice=Choice(tier))) == table.counts(Choice(tier))[0] == count
    for folder, count in (("PHOTOS/3%", 1), ("a year", 6), ("_", 0), ("%", 6), ("'", 0), ("", 6)):
        assert table.counts(Choice(folder=folder))[0] == count
    (one,) = table.page(10, choice=Choice("near", "photos/3"))
    assert (one.number, one.images) == (3, [6, 7])
    table.close_groups([3], 9)
    assert table.page(10, choice=Choice("near", "photos/3")) == []


def test_a_number_that_is_there_adds_nothing(table):
    table.add(entries(5))
    with pytest.raises(sqlite3.IntegrityError):
        table.add(entries(5, start=4))
    assert table.counts()[2] == 5
    table.add(entries(5, start=6))
    assert table.counts()[2] == 10


@pytest.mark.parametrize("data", [b"", b"no database at all", b"SQLite format 3\0" + bytes(500)])
def test_a_file_that_is_none_of_ours_is_made_anew(tmp_path, data):
    path = tmp_path / "groups.sqlite"
    path.write_bytes(data)
    table = GroupTable(str(path))
    table.add(entries(3))
    assert len(table.page(10)) == 3
    table.close()


def test_facts_are_kept(table):
    assert table.fact("key") is None
    table.note("key", [1, [2], "x"])
    assert table.fact("key") == [1, [2], "x"]


def test_many_groups_are_paged_at_once_and_take_no_memory(table):
    source = entries(COUNT)
    for start in range(0, COUNT, 10_000):
        table.add(next(source) for _ in range(min(10_000, COUNT - start)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Of the CPU, as others may be busy on it.
    started = time.process_time()
    after, seen = None, 0
    for _ in range(400):
        page = table.page(50, after)
        seen += len(page)
        after = page[-1].saved, page[-1].number
    assert seen == 20_000
    # Were the order not kept beside the groups: twenty times what it takes.
    assert time.process_time() - started < 3
    started = time.process_time()
    assert table.counts()[0] == COUNT
    assert time.process_time() - started < 0.3
    # Kilobytes on Linux: less than half of what all groups are.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 12_000
