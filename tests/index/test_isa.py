"""The instruction set is chosen once, can be forced, and changes no answer."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

import numpy as np
import oracle
import pytest

import hashret
from hashret import _native

LARGE = 100_003
BITS = [1, 7, 8, 16, 48, 63, 64, 65, 96, 128, 256, 512, 1000]


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("name", _native.supported_isas())
def test_forced_instruction_set_runs(name):
    done = run_python("import hashret; print(hashret.cpu()['isa'])", HASHRET_ISA=name)
    assert done.stdout.strip() == name, done.stderr


@pytest.mark.parametrize(
    "name", ["sse9", "AVX2", "neon" if "avx2" in _native.supported_isas() else "avx2"]
)
def test_unsupported_instruction_set_is_an_error_at_import(name):
    done = run_python("import hashret", HASHRET_ISA=name)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: HASHRET_ISA: expected one of")
    assert repr(name) in last


def test_fastest_is_the_default():
    done = run_python("import hashret; print(hashret.cpu()['isa'])", HASHRET_ISA="")
    assert done.stdout.strip() == _native.supported_isas()[0]


def test_scalar_runs_everywhere():
    assert _native.supported_isas()[-1] == "scalar"


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 31, 32, 33, 1000])
def test_search_equals_the_oracle(isa, rng, bits, n):
    codes, queries = oracle.random_codes(rng, n, bits), oracle.random_codes(rng, 6, bits)
    ids = rng.permutation(3 * n + 5)[:n].astype(np.int64)
    index = hashret.Index(bits)
    index.add(codes, ids)
    for k in (1, 10, n + 3):
        for count in (1, 6):  # the kernels for one query and for groups
            found = index.search(queries[:count], k)
            expected = oracle.search(queries[:count], codes, ids, k)
            np.testing.assert_array_equal(found[0], expected[0])
            np.testing.assert_array_equal(found[1], expected[1])
            assert found[0].dtype == np.int32
            assert found[1].dtype == np.int64
    for radius in (0, bits // 3, bits, bits + 5):
        found = index.range_search(queries, radius)
        for got, wanted in zip(
            found, oracle.range_search(queries, codes, ids, radius), strict=True
        ):
            np.testing.assert_array_equal(got, wanted)


@functools.cache
def large(bits):
    """Codes, queries and the oracle's whole answer: worked out once for all instruction sets."""
    rng = np.random.default_rng(bits)
    codes, queries = oracle.random_codes(rng, LARGE, bits), oracle.random_codes(rng, 5, bits)
    return codes, queries, oracle.search(queries, codes, np.arange(LARGE), LARGE + 2)


@pytest.mark.parametrize("bits", BITS)
def test_large_search_equals_the_oracle(isa, bits):
    codes, queries, expected = large(bits)
    index = hashret.Index(bits)
    index.add(codes)
    for k in (1, 100, LARGE + 2):
        found = index.search(queries, k)
        np.testing.assert_array_equal(found[0], expected[0][:, :k])
        np.testing.assert_array_equal(found[1], expected[1][:, :k])
        single = index.search(queries[:1], k)
        np.testing.assert_array_equal(single[1], expected[1][:1, :k])


@pytest.mark.parametrize("bits", BITS)
def test_distances_and_histograms_equal_the_oracle(isa, rng, bits):
    codes, queries = oracle.random_codes(rng, 5000, bits), oracle.random_codes(rng, 3, bits)
    expected = oracle.distances(queries, codes)
    np.testing.assert_array_equal(hashret.codes.hamming_distances(queries, codes, bits), expected)
    counts = np.array([np.bincount(row, minlength=bits + 1) for row in expected])
    np.testing.assert_array_equal(hashret.codes.distance_histogram(queries, codes, bits), counts)


@pytest.mark.parametrize("bits", [8, 20, 60, 64, 72, 128])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 24, 31, 33, 4095, 4096, 4097, 4104])
@pytest.mark.parametrize("offset", [0, 1, 8])
def test_distances_wherever_the_codes_lie(isa, rng, bits, n, offset):
    """Tiles end in mid-block, 64-bit codes are read in place, memory may be unaligned."""
    drawn, queries = oracle.random_codes(rng, n, bits), oracle.random_codes(rng, 2, bits)
    memory = np.full(drawn.nbytes + offset, 0xFF, np.uint8)
    codes = memory[offset:].reshape(drawn.shape)
    codes[:] = drawn
    expected = oracle.distances(queries, drawn)
    np.testing.assert_array_equal(hashret.codes.hamming_distances(queries, codes, bits), expected)
    counts = np.array([np.bincount(row, minlength=bits + 1) for row in expected])
    np.testing.assert_array_equal(hashret.codes.distance_histogram(queries, codes, bits), counts)


@pytest.mark.parametrize("bits", [16, 64, 128])
@pytest.mark.parametrize("distinct", [1, 3, 50])
def test_collapsed_codes_are_ordered_by_id(isa, rng, bits, distinct):
    codes = oracle.skewed_codes(rng, 3000, bits, distinct)
    ids = rng.permutation(10_000)[:3000].astype(np.int64)
    index = hashret.Index(bits)
    index.add(codes, ids)
    for k in (1, 7, 500):
        found, expected = index.search(codes[:9], k), oracle.search(codes[:9], codes, ids, k)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [1, 2, 50])
def test_thread_count_changes_nothing(rng, threads, count, monkeypatch):
    monkeypatch.setattr(hashret.index.schedule, "PARALLEL_WORDS", 0)
    codes = oracle.skewed_codes(rng, 2000, 64, 40)
    queries = oracle.random_codes(rng, count, 64)
    ids = rng.permutation(9000)[:2000].astype(np.int64)
    index = hashret.Index(64)
    index.add(codes[:1500], ids[:1500])
    index.add(codes[1500:], ids[1500:])
    found = index.search(queries, 30, threads=threads)
    expected = oracle.search(queries, codes, ids, 30)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    within = index.range_search(queries, 25, threads=threads)
    for got, wanted in zip(within, oracle.range_search(queries, codes, ids, 25), strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("count", [1, 10])
def test_a_k_that_fills_the_hit_buffer_many_times(isa, rng, count):
    codes, queries = oracle.random_codes(rng, 40_000, 64), oracle.random_codes(rng, count, 64)
    index = hashret.Index(64)
    index.add(codes)
    found = index.search(queries, 3000)
    expected = oracle.search(queries, codes, np.arange(40_000), 3000)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("crowded", [0, 15, 25, 200])
@pytest.mark.parametrize("bits", [20, 64, 128])
def test_a_large_k_wherever_the_near_codes_lie(isa, rng, bits, crowded):
    """A sample of every eighth block sets a ceiling; one that is too low is noticed."""
    codes = oracle.random_codes(rng, 8 * 8192 + 5, bits)
    queries = oracle.random_codes(rng, 5, bits)
    for block in range(crowded):
        codes[64 * block : 64 * block + 8] = queries[0]
    index = hashret.Index(bits)
    index.add(codes)
    index.remove(np.arange(0, 64 * crowded + 1, 3))
    for allowed in (None, index.ids[rng.random(len(index)) < 0.5], index.ids[:700]):
        ids = index.ids if allowed is None else allowed
        for k in (100, 1000):
            found = index.search(queries, k, filter=allowed, threads=1)
            expected = oracle.search(queries, codes[ids], ids, k)
            np.testing.assert_array_equal(found[0], expected[0])
            np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("bits", [8, 64, 100, 128, 256, 512, 640])
@pytest.mark.parametrize("n", [63, 64, 65, 511, 520, 3001])
def test_many_queries_together_equal_the_oracle(isa, rng, bits, n):
    """Batches may go over copies of the codes that lie in another order, in strips of 64."""
    codes, queries = oracle.random_codes(rng, n, bits), oracle.random_codes(rng, 37, bits)
    queries[:5] = codes[:5]
    ids = np.arange(n)
    index = hashret.Index(bits, "scan")
    index.add(codes)
    mask = rng.random(n) < 0.5
    for allowed in (np.ones(n, bool), mask):
        filter = None if allowed.all() else allowed
        for k in (1, 10, n + 1):  # limits above a byte's range among them
            expected = oracle.search(queries, codes[allowed], ids[allowed], k)
            for threads in (1, 3):
                found = index.search(queries, k, filter=filter, threads=threads)
                for got, want in zip(found, expected, strict=True):
                    np.testing.assert_array_equal(got, want)
        expected = oracle.range_search(queries, codes[allowed], ids[allowed], bits // 3)
        for got, want in zip(
            index.range_search(queries, bits // 3, filter=filter), expected, strict=True
        ):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("bits", [64, 512])
def test_many_queries_over_many_tiles_equal_single_ones(isa, rng, bits):
    """Codes near their queries are found wherever windows, strips and tiles end."""
    codes = oracle.random_codes(rng, LARGE, bits)
    queries = codes[rng.integers(0, LARGE, 20)]
    index = hashret.Index(bits, "scan")
    index.add(codes)
    together = index.search(queries, 300)
    for i, query in enumerate(queries):
        for got, want in zip(together, index.search(query[None], 300), strict=True):
            np.testing.assert_array_equal(got[i], want[0])
