"""Many readers, one writer, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import oracle
import pytest

import hashret


@pytest.mark.parametrize("kind", ["scan", "lsh"])
def test_eight_readers_while_one_adds_and_removes(rng, kind):
    bits, stable = 64, 2000
    codes = oracle.random_codes(rng, stable, bits)
    index = hashret.Index(bits, kind, tables=4 if kind == "lsh" else None)
    index.add(codes)
    noise = ~codes  # as far from every stable code as can be: never among the nearest
    failures, stop = [], threading.Event()

    def read(number):
        queries = codes[number * 10 : number * 10 + 10]
        while not stop.is_set():
            distances, ids = index.search(queries, 1)
            if not ((distances == 0).all() and (ids[:, 0] == np.arange(10) + number * 10).all()):
                failures.append((number, ids))
                return

    readers = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for reader in readers:
        reader.start()
    for turn in range(60):
        ids = (rng.permutation(5000)[:300] + 10_000).astype(np.int64)
        index.add(noise[:300], ids)
        if turn % 3 == 0:
            index.update(noise[300:400], ids[:100])
        index.remove(ids)
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert len(index) == stable


def test_writers_take_turns(rng):
    codes = oracle.random_codes(rng, 50, 64)
    index = hashret.Index(64)
    writers = [
        threading.Thread(target=lambda: [index.add(codes) for _ in range(20)]) for _ in range(6)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    np.testing.assert_array_equal(index.ids, np.arange(6 * 20 * 50))


def test_saving_while_others_add(rng, tmp_path):
    codes = oracle.random_codes(rng, 100, 64)
    index = hashret.Index(64)
    index.add(codes)
    writer = threading.Thread(target=lambda: [index.add(codes) for _ in range(200)])
    writer.start()
    while writer.is_alive():
        index.save(tmp_path / "i.hri")
        saved = hashret.Index.load(tmp_path / "i.hri")
        assert len(saved) % 100 == 0
        np.testing.assert_array_equal(saved.get(np.arange(100)), codes)
    writer.join()


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT to a process group")
def test_ctrl_c_ends_a_long_search_and_leaves_the_index_whole():
    script = """
import numpy as np, hashret, time
codes = np.random.default_rng(0).integers(0, 256, (2_000_000, 32), dtype=np.uint8)
index = hashret.Index(256)
index.add(codes)
print("searching", flush=True)
try:
    index.search(codes[:200_000], 10)
except KeyboardInterrupt:
    print("interrupted", flush=True)
distances, ids = index.search(codes[:1], 1)
print(ids[0, 0], len(index), flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout.readline() == "searching\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    assert process.stdout.readline() == "interrupted\n"
    assert time.monotonic() - sent < 5
    assert process.stdout.readline() == "0 2000000\n"
    process.stdout.close()
    assert process.wait(timeout=60) == 0
