"""Index files: what is saved comes back; anything else is a FormatError."""

from __future__ import annotations

import os
import struct
import time
import zlib

import numpy as np
import oracle
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_files import HEADER, sealed

import hashret
from hashret import EncoderMismatchError, FormatError, _native


@pytest.fixture(params=["scan", "mih", "auto"])
def kind(request):
    return request.param


@pytest.fixture
def saved(rng, tmp_path, kind):
    codes = oracle.random_codes(rng, 100, 60)
    ids = rng.permutation(1000)[:100].astype(np.int64)
    index = hashret.Index(60, kind, encoder="f" * 64)
    index.add(codes, ids)
    path = tmp_path / "index.hri"
    index.save(path)
    return path, codes, ids


def assert_same(index, codes, ids):
    found, expected = index.search(codes[:5], 12), oracle.search(codes[:5], codes, ids, 12)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("mmap", [False, True])
def test_round_trip(saved, mmap, kind):
    path, codes, ids = saved
    index = hashret.Index.load(path, mmap=mmap)
    assert (index.bits, index.kind, index.encoder, len(index)) == (60, kind, "f" * 64, 100)
    assert_same(index, codes, ids)
    np.testing.assert_array_equal(index.get(ids), codes)


@pytest.mark.parametrize("mmap", [False, True])
def test_a_loaded_index_can_change(saved, mmap, rng):
    path, codes, ids = saved
    before = path.read_bytes()
    index = hashret.Index.load(path, mmap=mmap)
    more = oracle.random_codes(rng, 30, 60)
    new = index.add(more)
    np.testing.assert_array_equal(new, np.arange(30) + ids.max() + 1)
    index.remove(ids[:10])
    index.update(codes[:5], ids[10:15])
    codes = codes.copy()
    codes[10:15] = codes[:5]
    assert_same(index, np.concatenate([codes[10:], more]), np.concatenate([ids[10:], new]))
    assert path.read_bytes() == before


@pytest.mark.parametrize("n", [0, 1, 8, 9])
@pytest.mark.parametrize("mmap", [False, True])
def test_small_and_empty(rng, tmp_path, n, mmap):
    codes = oracle.random_codes(rng, n, 130)
    index = hashret.Index(130)
    index.add(codes)
    index.save(tmp_path / "i.hri")
    again = hashret.Index.load(tmp_path / "i.hri", mmap=mmap)
    assert len(again) == n
    np.testing.assert_array_equal(again.get(np.arange(n)), codes)
    np.testing.assert_array_equal(again.add(codes), np.arange(n) + n)


def test_removed_rows_are_not_saved_and_ids_are_not_reused(rng, tmp_path):
    codes = oracle.random_codes(rng, 50, 64)
    index = hashret.Index(64)
    index.add(codes)
    index.remove(np.arange(40, 50))
    index.save(tmp_path / "i.hri")
    again = hashret.Index.load(tmp_path / "i.hri")
    np.testing.assert_array_equal(again.ids, np.arange(40))
    np.testing.assert_array_equal(again.add(codes[:1]), [50])


@pytest.mark.parametrize("kind", ["scan"], indirect=True)
def test_the_bytes_follow_the_format_page(saved):
    path, codes, ids = saved
    data = path.read_bytes()
    assert data[:8] == b"\x89HRI\r\n\x1a\n"
    version, order, bits, kind, tables, sections = struct.unpack_from("<6I", data, 8)
    assert (version, order, bits, kind, tables, sections) == (1, 0x01020304, 60, 0, 0, 2)
    rows, _, next_id = struct.unpack_from("<Qqq", data, 32)
    assert (rows, next_id) == (100, ids.max() + 1)
    assert data[56:120] == b"f" * 64
    crc = struct.unpack_from("<I", data, 124)[0]
    assert crc == zlib.crc32(data[:124] + bytes(4) + data[128:HEADER])
    order = np.argsort(ids)
    for number, content in enumerate([None, ids[order].astype("<i8").tobytes()]):
        tag, crc, offset, size, _ = struct.unpack_from("<IIQQQ", data, 128 + 32 * number)
        assert tag == number + 1
        assert crc == zlib.crc32(data[offset : offset + size])
        if content is not None:
            assert data[offset : offset + size] == content
    blocks = np.frombuffer(data, "<u8", 13 * 8, HEADER).reshape(13 * 8)
    words = hashret.codes.to_words(codes[order], 60)[:, 0]
    np.testing.assert_array_equal(blocks[:100], words)
    assert not blocks[100:].any()


def test_the_golden_file_stays_readable():
    index = hashret.Index.load(os.path.join(os.path.dirname(__file__), "golden", "v1.hri"))
    rng = np.random.default_rng(1)
    codes = oracle.random_codes(rng, 20, 70)
    np.testing.assert_array_equal(index.get(np.arange(20) * 5 + 3), codes)
    assert (index.kind, index.tables, index.encoder) == ("lsh", 7, "golden")


def test_what_is_not_an_index(tmp_path):
    path = tmp_path / "notes.txt"
    for content in (b"", b"x", b"shopping list\n" * 100):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=r"notes\.txt"):
            hashret.Index.load(path)
    with pytest.raises(FileNotFoundError):
        hashret.Index.load(tmp_path / "absent.hri")
    with pytest.raises(IsADirectoryError):
        hashret.Index.load(tmp_path)


@pytest.mark.parametrize("mmap", [False, True])
def test_every_truncation_is_found(saved, mmap):
    path, *_ = saved
    data = path.read_bytes()
    for size in [*range(0, HEADER + 80, 7), len(data) // 2, len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(FormatError):
            hashret.Index.load(path, mmap=mmap)


def test_every_flipped_bit_is_found(saved, rng):
    path, *_ = saved
    data = bytearray(path.read_bytes())
    for position in [*range(HEADER), *rng.integers(HEADER, len(data), 100)]:
        data[position] ^= 1 << position % 8
        path.write_bytes(data)
        with pytest.raises(FormatError):
            hashret.Index.load(path)
        data[position] ^= 1 << position % 8


@given(
    st.lists(
        st.tuples(st.sampled_from(range(8, HEADER + 200)), st.integers(0, 255)),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_hostile_files_give_an_index_or_a_format_error(saved, changes, mmap):
    path, *_ = saved
    data = bytearray(path.read_bytes())
    for position, value in changes:
        data[position] = value
    hostile = path.with_name("hostile.hri")
    hostile.write_bytes(sealed(data))
    try:
        index = hashret.Index.load(hostile, mmap=mmap)
    except FormatError:
        return
    queries = np.zeros((2, (index.bits + 7) // 8), np.uint8)
    index.search(queries, 5)
    index.range_search(queries, index.bits // 2)
    index.stats()
    index.add(queries[:1])


def test_a_hostile_count_asks_for_no_memory(saved):
    path, *_ = saved
    data = bytearray(path.read_bytes())
    struct.pack_into("<Q", data, 32, 2**32 - 1)
    path.write_bytes(sealed(data))
    with pytest.raises(FormatError, match="wrong size"):
        hashret.Index.load(path)


def run_of_ids(rng, kind, first, rows):
    """A file of codes without an id section, whose header says other rows."""
    index = hashret.Index(60, kind)
    index.add(oracle.random_codes(rng, 100, 60))
    data = bytearray(index.to_bytes())
    struct.pack_into("<Qqq", data, 32, rows, first, 2**62)
    return sealed(data)


@pytest.mark.parametrize("kind", ["scan", "mih"])
def test_a_hostile_count_takes_no_time(rng, kind):
    hostile = run_of_ids(rng, kind, 0, 2**32 - 1)
    before = time.monotonic()
    with pytest.raises(FormatError, match="wrong size"):
        hashret.Index.from_bytes(hostile)
    assert time.monotonic() - before < 2


@pytest.mark.parametrize("first", [-200, -101, -100, -1, 0])
def test_a_run_of_ids_leaves_out_the_one_of_no_result(rng, first):
    data = run_of_ids(rng, "scan", first, 100)
    if first <= -1 < first + 100:
        with pytest.raises(FormatError, match="not ascending"):
            hashret.Index.from_bytes(data)
    else:
        assert hashret.Index.from_bytes(data).ids[0] == first


def test_ids_as_far_apart_as_can_be(rng):
    ids = np.array([-(2**63), -2, 2**63 - 1])
    index = hashret.Index(60)
    codes = oracle.random_codes(rng, 3, 60)
    index.add(codes[2:], ids[2:])
    index.add(codes[:2], ids[:2])
    again = hashret.Index.from_bytes(index.to_bytes())
    np.testing.assert_array_equal(again.ids, ids)
    np.testing.assert_array_equal(again.get(ids), codes)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_ids_may_end_with_the_last_that_there_is(rng, count):
    ids = 2**63 - 1 - np.arange(count)[::-1]
    index = hashret.Index(60)
    index.add(oracle.random_codes(rng, count, 60), ids)
    again = hashret.Index.from_bytes(index.to_bytes())
    np.testing.assert_array_equal(again.ids, ids)
    np.testing.assert_array_equal(again.get(ids), index.get(ids))


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    path, codes, _ = saved
    before = path.read_bytes()
    index = hashret.Index.load(path)

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        index.save(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
    index.add(codes[:1])  # the lock was given back


def test_another_encoder_is_refused(saved):
    path, *_ = saved
    assert hashret.Index.load(path, encoder="f" * 64).encoder == "f" * 64
    with pytest.raises(EncoderMismatchError, match="expected other"):
        hashret.Index.load(path, encoder="other")


@pytest.mark.parametrize("kind", ["scan", "auto"])
def test_saving_can_be_cancelled_while_it_sorts(kind):
    """Nothing is written then, and the index is as before."""
    codes = np.random.default_rng(0).integers(0, 256, (200_000, 8), dtype=np.uint8)
    index = hashret.Index(64, kind)
    index.add(codes)
    cancel, pieces = _native.Cancel(), []
    cancel.set()
    with pytest.raises(KeyboardInterrupt):
        index._native.write(b"", pieces.append, cancel)
    assert not pieces
    index.add(codes[:1])  # no lock is left behind
    loaded = hashret.Index.from_bytes(index.to_bytes())
    np.testing.assert_array_equal(loaded.get(loaded.ids), np.concatenate([codes, codes[:1]]))
