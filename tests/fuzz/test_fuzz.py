"""Hostile files, for a short while; README.md says how to go on for longer."""

from __future__ import annotations

import os
import random
import struct
import time

import numpy as np
import pytest
from fuzz import corpus, index_file
from index_files import HEADER, sealed

import hashret
from hashret import FormatError


@pytest.fixture
def seconds(request):
    """How long to go on: to see that all of it works, or to look for what is wrong."""
    return 20 if request.config.getoption("--slow") else 3


def test_the_corpus_is_of_every_kind_and_width():
    known = [hashret.Index.from_bytes(data) for _, data in corpus.files()]
    assert {index.kind for index in known} == {"scan", "lsh", "mih", "auto", "approximate"}
    assert {index.bits for index in known} == set(corpus.WIDTHS)


@pytest.mark.skipif(index_file.clang() is None, reason="needs clang with libFuzzer")
@pytest.mark.skipif(not index_file.CSRC.is_dir(), reason="needs the engine's sources")
def test_index_files_by_libfuzzer(tmp_path, seconds):
    program = index_file.build(index_file.clang(), tmp_path, optimize=seconds > 10)
    index_file.run(program, tmp_path, 2 * seconds)


def changed(rng: random.Random, data: bytes) -> bytes:
    """Numbers of the header, or of what follows it, replaced by odd ones, and all CRCs repaired."""
    hostile = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(8, min(len(hostile), HEADER) if rng.random() < 0.5 else len(hostile))
        old = int.from_bytes(hostile[at : at + 4], "little")
        new = rng.choice((0, 1, 64, 2**31, 2**32 - 1, old ^ 1 << rng.randrange(32), old + 1))
        hostile[at : at + 4] = struct.pack("<I", new % 2**32)
    if rng.random() < 0.1:
        del hostile[rng.randrange(HEADER, len(hostile)) :]
    return sealed(hostile)


def test_index_files_by_changes(seconds):
    rng, end = random.Random(0), time.monotonic() + seconds
    bases = [data for _, data in corpus.files() if HEADER < len(data) < 4096]
    opened = tried = 0
    while time.monotonic() < end:
        tried += 1
        hostile = changed(rng, rng.choice(bases))
        try:
            index = hashret.Index.from_bytes(hostile)
        except FormatError:
            continue
        opened += 1
        queries = np.zeros((2, (index.bits + 7) // 8), np.uint8)
        index.search(queries, 5)
        index.range_search(queries, index.bits // 4)
        again = hashret.Index.from_bytes(index.to_bytes())
        np.testing.assert_array_equal(again.ids, index.ids)
    assert 0 < opened < tried


@pytest.mark.skipif(os.name != "posix", reason="worker processes need POSIX")
def test_pictures_by_changes(seconds):
    decode = pytest.importorskip("fuzz.decode")
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        became = decode.run_round(0, number)
        assert became["read"] > decode.FILES // decode.SOUND // 2
        number += 1
