"""Files of sorted codes: each byte as FORMAT.md says, and damage that crashes nothing."""

from __future__ import annotations

import os
import struct

import numpy as np
import oracle
import pytest
import shapes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_files import HEADER, sealed

import hashret
from hashret import FormatError

CODES, IDS, POSTINGS, TABLES = 1, 2, 3, 4


def padded(data):
    return data + bytes(-len(data) % 64)


def sections(data):
    """Offset, size and count of the sections by tag, in the order of the table."""
    count = struct.unpack_from("<I", data, 28)[0]
    entries = [struct.unpack_from("<IIQQQ", data, 128 + 32 * i) for i in range(count)]
    return {tag: (offset, size, number) for tag, _, offset, size, number in entries}


def section(data, tag):
    offset, size, _ = sections(data)[tag]
    return data[offset : offset + size]


def save(tmp_path, plain, ids, kind="mih", tables=None):
    index = hashret.Index(plain.shape[1], kind, tables=tables)
    index.add(shapes.pack(plain), ids)
    path = tmp_path / "index.hri"
    index.save(path)
    return path


# --- the format page, byte by byte ------------------------------------------------


def expected_codes(plain):
    """Blocks of eight, word-major."""
    n, bits = plain.shape
    words = -(-bits // 64)
    rows = np.zeros((-(-n // 8) * 8, 64 * words), np.uint8)
    rows[:n, :bits] = plain
    packed = np.packbits(rows, axis=1).view("<u8").reshape(-1, 8, words)
    return packed.transpose(0, 2, 1).tobytes()


def number(bits):
    return int("".join(map(str, bits)), 2)


def expected_tables(plain, head):
    """The tables that a head asks for, over sorted codes given as bits."""
    bits = plain.shape[1]
    tables, sketch_words, *prefixes = struct.unpack_from("<10I", head)
    out = head
    for t in range(tables):
        start, p = t * bits // tables, prefixes[t]
        assert 1 <= p <= (t + 1) * bits // tables - start
        keys = np.array([number(row[start : start + p]) for row in plain])
        starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=2**p))])
        out += padded(starts.astype("<u4").tobytes())
        if t:
            rest = np.delete(plain, range(start, start + p), axis=1)
            rest = np.pad(rest, ((0, 0), (0, 32 * sketch_words)))[:, : 32 * sketch_words]
            sketches = np.ascontiguousarray(np.packbits(rest, axis=1)).view(">u4")[
                np.argsort(keys, kind="stable")
            ]
            out += padded(sketches.astype("<u4").tobytes())
    assert not any(prefixes[tables:])
    return out


@pytest.mark.parametrize("shape", [shapes.few_values, shapes.uniform])
@pytest.mark.parametrize(
    ("bits", "n", "tables"),
    [(64, 500, None), (64, 500, 4), (70, 100, 3), (5, 30, 5), (300, 900, 8), (200, 77, 2)],
)
def test_the_bytes_of_mih_follow_the_format_page(rng, tmp_path, shape, bits, n, tables):
    plain = shape(rng, n, bits)
    ids = rng.permutation(3 * n)[:n].astype(np.int64)
    data = save(tmp_path, plain, ids, tables=tables).read_bytes()
    assert struct.unpack_from("<4I", data, 16) == (bits, 2, tables or 0, 4)
    assert struct.unpack_from("<Q", data, 32) == (n,)
    assert list(sections(data)) == [CODES, POSTINGS, TABLES, IDS]
    end = HEADER
    for offset, size, _ in sections(data).values():
        assert offset == end
        end += size
    assert end == len(data)
    order = np.argsort(ids)
    assert section(data, IDS) == ids[order].astype("<i8").tobytes()

    rows = [tuple(row) for row in plain[order].tolist()]
    shared = len(set(rows)) <= n // 2
    entries = sorted(set(rows)) if shared else sorted(rows)
    assert sections(data)[CODES][2] == len(entries)
    assert section(data, CODES) == expected_codes(np.array(entries, np.uint8))
    by_code = sorted(range(n), key=lambda row: (rows[row], row))
    postings = padded(np.array(by_code, "<u4").tobytes())
    if shared:
        starts = [0, *np.cumsum([rows.count(entry) for entry in entries])]
        postings += padded(np.array(starts, "<u4").tobytes())
    assert section(data, POSTINGS) == postings
    head = section(data, TABLES)[:64]
    assert tables in (None, struct.unpack_from("<I", head)[0])
    assert section(data, TABLES) == expected_tables(np.array(entries, np.uint8), head)


def test_auto_stores_tables_where_it_has_them(rng, tmp_path):
    few = save(tmp_path, shapes.uniform(rng, 1000, 64), None, "auto").read_bytes()
    assert list(sections(few)) == [CODES]
    equal = np.repeat(shapes.uniform(rng, 1000, 64), 20, axis=0)
    assert list(sections(save(tmp_path, equal, None, "auto").read_bytes())) == [CODES, POSTINGS]
    many = save(tmp_path, shapes.uniform(rng, 140_000, 64), None, "auto").read_bytes()
    assert list(sections(many)) == [CODES, POSTINGS, TABLES]


def test_without_rows_nothing_is_sorted(rng, tmp_path):
    data = save(tmp_path, shapes.uniform(rng, 0, 64), np.zeros(0, np.int64)).read_bytes()
    assert sections(data) == {CODES: (HEADER, 0, 0)}


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize(("name", "kind"), [("v1-mih.hri", "mih"), ("v1-auto.hri", "auto")])
def test_the_golden_files_stay_readable(name, kind, mmap):
    """Made from these codes, with tables=3 and encoder="golden"."""
    rng = np.random.default_rng(2)
    codes = oracle.skewed_codes(rng, 40, 70, 9 if kind == "mih" else 10**6)
    ids = np.arange(40) * 7 - 100
    path = os.path.join(os.path.dirname(__file__), "golden", name)
    index = hashret.Index.load(path, mmap=mmap)
    assert (index.kind, index.tables, index.encoder) == (kind, 3, "golden")
    np.testing.assert_array_equal(index.ids, ids)
    np.testing.assert_array_equal(index.get(ids), codes)
    found, wanted = index.search(codes, 15), oracle.search(codes, codes, ids, 15)
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_array_equal(found[1], wanted[1])


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize(("kind", "tables"), [("scan", None), ("lsh", 7), ("mih", 3), ("auto", 3)])
def test_what_the_first_release_saved_stays_readable(kind, tables, mmap):
    """Of 60 codes by version 0.1.0, after some were removed, added late and updated."""
    codes = oracle.skewed_codes(np.random.default_rng(3), 60, 70, 20)
    ids = np.arange(60) * 7 - 100
    codes[10:12] = codes[:2]
    kept = np.r_[:5, 10:60]
    path = os.path.join(os.path.dirname(__file__), "golden", f"v0.1.0-{kind}.hri")
    index = hashret.Index.load(path, mmap=mmap)
    assert (index.kind, index.tables, index.encoder) == (kind, tables, "golden")
    np.testing.assert_array_equal(index.ids, ids[kept])
    np.testing.assert_array_equal(index.get(ids[kept]), codes[kept])
    found = index.search(codes, 1 if kind == "lsh" else 15)
    wanted = oracle.search(codes, codes[kept], ids[kept], 1 if kind == "lsh" else 15)
    rows = kept if kind == "lsh" else slice(None)  # what is approximate finds what is equal
    np.testing.assert_array_equal(found[0][rows], wanted[0][rows])
    np.testing.assert_array_equal(found[1][rows], wanted[1][rows])


# --- damage ----------------------------------------------------------------------


@pytest.fixture(scope="module", params=["shared", "single"])
def whole(request, tmp_path_factory):
    """The file of a small index with all four sections."""
    rng = np.random.default_rng(5)
    shape = shapes.few_values if request.param == "shared" else shapes.clustered
    ids = rng.permutation(2000)[:400].astype(np.int64)
    return save(tmp_path_factory.mktemp("whole"), shape(rng, 400, 100), ids)


def use(index):
    """Whatever it holds, nothing of this may crash, hang or break out of its arrays."""
    width = (index.bits + 7) // 8
    queries = np.concatenate([np.zeros((1, width), np.uint8), np.full((1, width), 255, np.uint8)])
    queries[:, -1] &= (0xFF00 >> (index.bits - 1) % 8 + 1) & 0xFF
    ids = index.ids[:50]
    for k in (1, 30, len(index) + 2):
        index.search(queries, min(k, 1000))
    index.search(queries, 5, filter=np.arange(len(index)) % 3 == 0)
    index.range_search(queries, index.bits // 3)
    index.explain(queries[:1], 3)
    index.stats()
    known = [id for id in ids.tolist() if id in index]
    index.get(known)
    fresh = index.add(queries)
    index.remove(fresh[:1])
    index.search(queries, 5)


def load_and_use(path, data, mmap):
    path.write_bytes(data)
    try:
        index = hashret.Index.load(path, mmap=mmap)
    except FormatError:
        return False
    use(index)
    return True


@pytest.mark.parametrize("tag", [CODES, POSTINGS, TABLES, IDS])
@pytest.mark.parametrize("share", [0.001, 0.1, 1.0])
def test_random_damage_in_a_mapped_section_crashes_nothing(rng, tmp_path, whole, tag, share):
    whole = whole.read_bytes()
    offset, size, _ = sections(whole)[tag]
    for _ in range(10):
        data = np.frombuffer(whole, np.uint8).copy()
        inside = data[offset : offset + size]
        hit = rng.random(size) < max(share, 1 / size)
        inside[hit] = rng.integers(0, 256, hit.sum())
        assert load_and_use(tmp_path / "damaged.hri", data.tobytes(), True) or tag in (TABLES, IDS)
        if (inside != np.frombuffer(whole, np.uint8)[offset : offset + size]).any():
            with pytest.raises(FormatError, match="damaged"):
                hashret.Index.load(tmp_path / "damaged.hri")


def test_what_verified_sections_must_hold(tmp_path, whole):
    """Damage that its writer has sealed with a right CRC is found where it could matter."""
    whole = whole.read_bytes()
    for tag, place, value, reason in [
        (POSTINGS, 0, 400, "postings are damaged"),
        (POSTINGS, 4, None, "postings are damaged"),  # a row named twice
        (TABLES, 0, 9, "tables are damaged"),
        (TABLES, 0, 0, "tables are damaged"),
        (TABLES, 4, 0, "tables are damaged"),
        (TABLES, 4, 5, "tables are damaged"),
        (TABLES, 8, 25, "tables are damaged"),
        (TABLES, 8, 0, "tables are damaged"),
        (CODES, 64, 2**32 - 1, "bits past the last"),
    ]:
        data, offset = bytearray(whole), sections(whole)[tag][0]
        if value is None:
            value = struct.unpack_from("<I", data, offset)[0]
        if tag == CODES:
            place += 4
        struct.pack_into("<I", data, offset + place, value)
        (tmp_path / "hostile.hri").write_bytes(sealed(data))
        with pytest.raises(FormatError, match=reason):
            hashret.Index.load(tmp_path / "hostile.hri")


@pytest.mark.parametrize("mmap", [False, True])
def test_sections_that_end_too_soon(tmp_path, whole, mmap):
    whole = whole.read_bytes()
    for offset, size, _ in sections(whole).values():
        for at in {offset, offset + 1, offset + size // 2, offset + size - 1}:
            if at < len(whole):
                assert not load_and_use(tmp_path / "cut.hri", whole[:at], mmap)


def test_impossible_counts(tmp_path, whole):
    whole = whole.read_bytes()
    entry = 128 + 32 * list(sections(whole)).index(CODES)
    for count in (0, 401, 2**32, 2**63, 2**64 - 1):
        data = bytearray(whole)
        struct.pack_into("<Q", data, entry + 24, count)
        for mmap in (False, True):
            assert not load_and_use(tmp_path / "hostile.hri", sealed(data), mmap)
    for rows in (2**32 - 1, 2**32, 2**64 - 1):
        data = bytearray(whole)
        struct.pack_into("<Q", data, 32, rows)
        for mmap in (False, True):
            assert not load_and_use(tmp_path / "hostile.hri", sealed(data), mmap)


@pytest.mark.parametrize("tag", [POSTINGS, CODES])
def test_missing_sections(tmp_path, whole, tag):
    whole = whole.read_bytes()
    data = bytearray(whole)
    struct.pack_into("<I", data, 128 + 32 * list(sections(whole)).index(tag), 77)
    for mmap in (False, True):
        assert not load_and_use(tmp_path / "hostile.hri", sealed(data), mmap)


NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, 7, 8, 24, 25, 64, 399, 400, 401, 2**31, 2**32 - 64, 2**32 - 1]),
    st.integers(0, 2**32 - 1),
)


@given(
    st.lists(st.tuples(st.sampled_from([0, CODES, POSTINGS, TABLES, IDS]), NUMBERS, NUMBERS)),
    st.booleans(),
)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_hostile_numbers_give_an_index_or_a_format_error(tmp_path, whole, changes, mmap):
    whole = whole.read_bytes()
    data = bytearray(whole)
    for tag, place, value in changes:
        start, size = (8, HEADER - 8) if tag == 0 else sections(whole)[tag][:2]
        struct.pack_into("<I", data, start + place % (min(size, 256) // 4) * 4, value)
    load_and_use(tmp_path / "hostile.hri", sealed(data), mmap)
