"""Tables made for searches within a radius: more of them, and numbers in place of sketches."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hashret
from hashret.errors import DTypeError, HashretError, ParameterError

SIZE, QUERIES = 3000, 12


def near_copies(rng, bits, radius, size=SIZE):
    """Codes of which each tenth is an original, followed by copies with up to `radius` bits off."""
    plain = rng.integers(0, 2, (size // 10, bits), dtype=np.uint8).repeat(10, axis=0)
    for row in range(len(plain)):
        if row % 10:
            plain[row, rng.integers(0, bits, rng.integers(0, radius + 1))] ^= 1
    return plain


def queries_near(rng, plain, radius):
    asked = plain[rng.integers(0, len(plain), QUERIES)].copy()
    for row in asked:
        row[rng.choice(plain.shape[1], rng.integers(0, radius + 1), replace=False)] ^= 1
    return np.packbits(asked, axis=1)


def expect_exact(index, codes, ids, queries, radius, k=10):
    wanted = oracle.range_search(queries, codes, ids, radius)
    for got, want in zip(index.range_search(queries, radius), wanted, strict=True):
        np.testing.assert_array_equal(got, want)
    for got, want in zip(
        index.search(queries, k), oracle.search(queries, codes, ids, k), strict=True
    ):
        np.testing.assert_array_equal(got, want)


@settings(deadline=None, max_examples=12)
@given(
    bits=st.sampled_from([1, 2, 7, 16, 31, 64, 65, 100, 128, 256, 300, 512, 1024]),
    share=st.floats(0, 1),
    asked=st.floats(0, 0.4),
    kind=st.sampled_from(["mih", "auto"]),
    repeated=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_answers_do_not_depend_on_it(bits, share, asked, kind, repeated, seed):
    rng = np.random.default_rng(seed)
    radius = int(share * (bits - 1))
    plain = near_copies(rng, bits, min(bits, 1 + radius // 2))
    if repeated:
        plain = plain[rng.integers(0, 30, SIZE)]
    codes, queries = np.packbits(plain, axis=1), queries_near(rng, plain, min(bits, radius))
    ids = np.sort(rng.choice(10 * SIZE, SIZE, replace=False))
    index = hashret.Index(bits, kind, radius=radius)
    index.add(codes, ids)
    expect_exact(index, codes, ids, queries, int(asked * bits))
    expect_exact(index, codes, ids, queries, radius)


def test_changes_filters_and_copies_keep_it_exact(tmp_path):
    rng = np.random.default_rng(5)
    plain = near_copies(rng, 256, 31)
    codes, queries = np.packbits(plain, axis=1), queries_near(rng, plain, 31)
    ids = np.arange(SIZE)
    index = hashret.Index(256, "mih", radius=31)
    index.add(codes[: SIZE // 2])
    index.search(queries[:1], 1)
    index.add(codes[SIZE // 2 :])
    index.remove(ids[::3])
    left = np.delete(ids, np.s_[::3])
    index.update(codes[left[:50]][::-1], left[:50])
    codes[left[:50]] = codes[left[:50]][::-1].copy()
    index.save(tmp_path / "saved")
    made = [index, copy.copy(index), pickle.loads(pickle.dumps(index))]
    made += [hashret.Index.load(tmp_path / "saved", mmap=mmap) for mmap in (False, True)]
    for one in made:
        assert (one.radius, one.tables) == (31, None)
        expect_exact(one, codes[left], left, queries, 31)
    allowed = left[::2]
    found = index.range_search(queries, 31, filter=allowed)
    for got, want in zip(
        found, oracle.range_search(queries, codes[allowed], allowed, 31), strict=True
    ):
        np.testing.assert_array_equal(got, want)
    groups = index.duplicates(radius=31)
    assert sum(map(len, groups)) > SIZE // 2


def test_tables_take_little_memory_and_few_comparisons():
    """Beside 36 bytes of code and row, 4 an entry and table but the first, and 1 of directory."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (50_000, 32), dtype=np.uint8)
    suited, plain = (hashret.Index(256, "mih", **o) for o in ({"radius": 31}, {}))
    for index in (suited, plain):
        index.add(codes)
        index.compact()
    assert suited.stats()["bytes_per_code"] < 36 + 14 * (4 + 1.1) < plain.stats()["bytes_per_code"]


def test_damage_in_a_mapped_file_is_no_crash(tmp_path):
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 256, (3000, 32), dtype=np.uint8)
    index = hashret.Index(256, "mih", radius=31)
    index.add(codes)
    index.save(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for turn in range(60):
        data = bytearray(whole)
        at = int(rng.integers(len(data) // 2 if turn % 2 else 256, len(data)))
        data[at : at + 64] = rng.bytes(len(data[at : at + 64]))
        (tmp_path / "damaged").write_bytes(data)
        with pytest.raises(HashretError):
            hashret.Index.load(tmp_path / "damaged")
        try:
            mapped = hashret.Index.load(tmp_path / "damaged", mmap=True)
        except HashretError:
            continue
        mapped.range_search(codes[:20], 31)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"radius": -1}, ParameterError, "radius: "),
        ({"radius": 64}, ParameterError, "radius: expected less than 64 bits, got 64"),
        ({"radius": 2.5}, DTypeError, "radius: "),
        ({"radius": float("nan")}, DTypeError, "radius: "),
        ({"radius": "31"}, DTypeError, "radius: "),
        ({"radius": True}, DTypeError, "radius: "),
        ({"radius": 5, "tables": 4}, ParameterError, "tables: expected None beside a radius"),
        ({"radius": 5, "kind": "scan"}, ParameterError, "radius: kind 'scan' has no tables"),
        ({"radius": 5, "kind": "lsh"}, ParameterError, "radius: kind 'lsh' has no tables"),
    ],
)
def test_bad_radius(options, error, message):
    with pytest.raises(error, match=message.replace("'", ".")):
        hashret.Index(64, **options)


def test_it_is_shown():
    index = hashret.Index(64, radius=0)
    assert (index.radius, index.tables) == (0, None)
    assert repr(index) == "<hashret.Index auto, 64 bits, radius=0, 0 codes>"
    assert hashret.Index(64).radius is None
    assert hashret.Index(512, "lsh", tables=512).radius is None
    assert hashret.Index(64, tables=3).radius is None
