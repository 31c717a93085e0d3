"""What every bridge promises: bytes and ids come back, and what is unfit is refused as a whole."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from bridge_cases import BITS, BRIDGES, FILES, bridge, random_codes, same
from hypothesis import given, settings
from hypothesis import strategies as st

from hashret import CodeError, DTypeError, FormatError, HashretError, IdError, ParameterError
from hashret.bridges import dimension

each_bridge = pytest.mark.parametrize("name", BRIDGES)
each_file = pytest.mark.parametrize("name", FILES)


@each_bridge
@pytest.mark.parametrize("bits", BITS)
def test_codes_and_ids_come_back(name, bits, tmp_path, rng):
    codes, ids = random_codes(rng, 40, bits), np.arange(40) * 3 + 5
    bridge(name).write(tmp_path / "codes", codes, bits, ids)
    same(bridge(name).read(tmp_path / "codes", bits), codes, bits, ids)
    known = BRIDGES[name][1]
    stored = bridge(name).read(tmp_path / "codes")
    same(stored, codes, bits if known else dimension(bits), ids)


@each_bridge
def test_without_ids_they_count_from_0(name, tmp_path, rng):
    codes = random_codes(rng, 9, 24)
    bridge(name).write(tmp_path / "codes", codes, 24)
    same(bridge(name).read(tmp_path / "codes"), codes, 24, range(9))


@each_bridge
@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one(name, count, tmp_path):
    codes = np.full((count, 2), 0xF0, np.uint8)
    bridge(name).write(tmp_path / "codes", codes, 12, np.arange(count) + 2**40)
    same(bridge(name).read(tmp_path / "codes", 12), codes, 12, np.arange(count) + 2**40)


@pytest.mark.parametrize(("one", "other"), [*itertools.permutations(FILES, 2)])
def test_what_one_has_read_another_writes(one, other, rng):
    codes, file, second = random_codes(rng, 5, 12), io.BytesIO(), io.BytesIO()
    bridge(one).write(file, codes, 12, [4, 5, 6, 8, 9])
    stored = bridge(one).read(io.BytesIO(file.getvalue()), 12)
    bridge(other).write(second, *stored)
    same(bridge(other).read(io.BytesIO(second.getvalue()), 12), codes, 12, [4, 5, 6, 8, 9])


@each_bridge
@pytest.mark.parametrize(
    ("codes", "bits", "ids"),
    [
        ([[255, 255]], 12, None),
        ([[255]], 12, None),
        ([[1], [2]], 8, [7, 7]),
        ([[1], [2]], 8, [7]),
        ([[1]], 8, [-1]),
        ([[1.5]], 8, None),
        ([[1]], 0, None),
        ([[0] * 513], 4104, None),
    ],
)
def test_what_is_unfit_leaves_what_was_there(name, codes, bits, ids, tmp_path):
    bridge(name).write(tmp_path / "codes", [[9]], 8)
    with pytest.raises(HashretError):
        bridge(name).write(tmp_path / "codes", codes, bits, ids)
    same(bridge(name).read(tmp_path / "codes"), [[9]], 8, [0])


@each_bridge
def test_bits_that_do_not_fit_are_refused(name, tmp_path):
    bridge(name).write(tmp_path / "codes", [[0x0F, 0x0F]], 16)
    for bits in (8, 17):
        with pytest.raises(ParameterError):
            bridge(name).read(tmp_path / "codes", bits)
    # Where the file does not say 16: a bit beyond the 12th is set.
    refused = ParameterError if BRIDGES[name][1] and name != "usearch" else CodeError
    with pytest.raises(refused):
        bridge(name).read(tmp_path / "codes", 12)


@each_file
def test_every_truncation_is_noticed(name, rng):
    file = io.BytesIO()
    bridge(name).write(file, random_codes(rng, 6, 100), 100)
    data = file.getvalue()
    whole = bridge(name).read(io.BytesIO(data), 100)
    for end in range(0, len(data) - 1, 1 if len(data) < 500 else 13):
        try:
            stored = bridge(name).read(io.BytesIO(data[:end]), 100)
        except HashretError:
            continue
        # Lines that are there are whole.
        assert name in ("milvus", "vespa", "opensearch")
        assert np.array_equal(stored.codes, whole.codes[: len(stored.codes)])


@each_file
@settings(max_examples=40)
@given(junk=st.binary(max_size=200))
def test_no_junk_is_taken(name, junk):
    with pytest.raises((FormatError, ParameterError)):
        bridge(name).read(io.BytesIO(junk))


@pytest.mark.parametrize("name", ["pgvector", "parquet", "milvus", "vespa", "opensearch"])
@settings(max_examples=40)
@given(place=st.integers(0, 2**20), flip=st.integers(1, 255))
def test_a_damaged_byte_is_an_error_of_ours_or_other_codes(name, place, flip):
    file = io.BytesIO()
    bridge(name).write(file, np.arange(60, dtype=np.uint8).reshape(20, 3), 24)
    data = bytearray(file.getvalue())
    data[place % len(data)] ^= flip
    try:
        stored = bridge(name).read(io.BytesIO(bytes(data)))
    except HashretError:
        return
    assert len(stored.codes) == len(stored.ids)


@each_file
@pytest.mark.parametrize("wrong", [None, 5, ["a"]])
def test_what_is_no_file_is_named(name, wrong):
    with pytest.raises(DTypeError, match="target: expected a path or a binary file"):
        bridge(name).write(wrong, [[1]], 8)
    with pytest.raises(DTypeError, match="source: expected a path or a binary file"):
        bridge(name).read(wrong)


@each_bridge
def test_the_largest_and_the_least_id(name, tmp_path):
    ids = [-(2**63), -2, 2**63 - 1]
    if name == "usearch":
        with pytest.raises(IdError, match="below 0"):
            bridge(name).write(tmp_path / "codes", [[1], [2], [3]], 8, ids)
        ids = ids[2:]
    codes = np.arange(len(ids), dtype=np.uint8)[:, None]
    bridge(name).write(tmp_path / "codes", codes, 8, ids)
    same(bridge(name).read(tmp_path / "codes"), codes, 8, ids)
