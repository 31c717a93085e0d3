"""Early stopping in scans of long codes: what is left unread changes no answer."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hashret
from hashret import _native

SIZE, QUERIES = 6000, 20
# Where codes differ from the query: heads are sure, undecided, or mislead.
SHAPES = ("uniform", "clustered", "far at last", "near at last", "changing")


def draw(shape, bits, seed):
    """Codes and queries, packed."""
    rng = np.random.default_rng(seed)
    plain = rng.integers(0, 2, (SIZE, bits), dtype=np.uint8)
    noise = (rng.random((SIZE, bits)) < 0.1).astype(np.uint8)
    centres = plain[: SIZE // 25][rng.integers(0, SIZE // 25, SIZE)]
    half = bits // 2
    if shape == "clustered":
        plain = centres ^ noise
    elif shape == "far at last":
        plain[:, :half] = plain[0, :half]
    elif shape == "near at last":
        plain[:, half:] = plain[0, half:]
    elif shape == "changing":  # what paid for the first codes does not for the others
        plain[SIZE // 2 :] = (centres ^ noise)[SIZE // 2 :]
        plain[SIZE * 3 // 4 :, :half] = plain[0, :half]
    asked = plain[rng.integers(0, SIZE, QUERIES)] ^ (rng.random((QUERIES, bits)) < 0.05)
    return np.packbits(plain, axis=1), np.packbits(asked.astype(np.uint8), axis=1)


def expect_exact(index, codes, ids, queries, k, radius, **options):
    """Of codes by id, those of `ids` are found."""
    wanted = oracle.search(queries, codes[ids], ids, k)
    within = oracle.range_search(queries, codes[ids], ids, radius)
    for step in (1, 3, len(queries)):
        for start in range(0, len(queries) if step > 1 else 3, step):
            some = slice(start, start + step)
            found = index.search(queries[some], k, threads=1, **options)
            np.testing.assert_array_equal(found[0], wanted[0][some])
            np.testing.assert_array_equal(found[1], wanted[1][some])
    for got, want in zip(index.range_search(queries, radius, **options), within, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("isa", _native.supported_isas())
@pytest.mark.parametrize("shape", SHAPES)
def test_every_instruction_set_is_exact(isa, shape):
    codes, queries = draw(shape, 512, 1)
    _native.select_isa(isa)
    try:
        index = hashret.Index(512, "scan")
        index.add(codes)
        expect_exact(index, codes, np.arange(SIZE), queries, 10, 120)
    finally:
        _native.select_isa(_native.supported_isas()[0])


@settings(deadline=None, max_examples=15)
@given(
    shape=st.sampled_from(SHAPES),
    bits=st.sampled_from([193, 256, 320, 500, 512, 640, 1024]),
    kind=st.sampled_from(["scan", "auto"]),
    k=st.sampled_from([1, 7, 100, 3 * SIZE + 1]),
    radius=st.floats(0, 1),
    share=st.none() | st.sampled_from([0.02, 0.5]),
    removed=st.sampled_from([0, 0, 0.1, 0.6]),
    seed=st.integers(0, 1000),
)
def test_scans_are_exact(shape, bits, kind, k, radius, share, removed, seed):
    codes, queries = draw(shape, bits, seed)
    if kind == "auto":  # enough to be sorted
        codes = np.tile(codes, (3, 1))
    rng, ids = np.random.default_rng(seed), np.arange(len(codes))
    index = hashret.Index(bits, kind)
    index.add(codes)
    index.compact()
    gone = rng.random(len(ids)) < removed
    index.remove(ids[gone])
    ids = ids[~gone]
    if removed:
        index.update(codes[:40], ids[-40:])
        codes[ids[-40:]] = codes[:40].copy()
    options = {}
    if share:
        options["filter"] = ids = ids[rng.random(len(ids)) < share]
    expect_exact(index, codes, ids, queries[:6], k, int(radius * bits / 2), **options)
