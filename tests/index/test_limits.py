"""Too many rows, too little memory, and Ctrl-C, on an index of every kind."""

from __future__ import annotations

import os
import platform
import signal
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest

import hashret

KINDS = ["scan", "mih", "auto", "lsh"]
MOST = 2**32 - 1


def run_python(script, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        # glibc gives all large blocks back at once, so that the next one must be had anew.
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "16384", "MALLOC_TRIM_THRESHOLD_": "16384"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


# --- rows ------------------------------------------------------------------------


def sparse_index(path, rows):
    """An index file of as many rows, all of code 0: one entry, and gigabytes of holes."""
    codes, postings = 64, 4 * rows + -4 * rows % 64
    layout = [(1, 256, codes, 1), (3, 256 + codes, postings + 64, 0)]
    head = struct.pack("<8s6IQqq", b"\x89HRI\r\n\x1a\n", 1, 0x01020304, 8, 3, 0, 2, rows, 0, rows)
    head += bytes(64 + 4)
    table = b"".join(struct.pack("<IIQQQ", tag, 0, *rest) for tag, *rest in layout)
    table = table.ljust(128, b"\0")
    with open(path, "wb") as file:
        file.write(head + struct.pack("<I", zlib.crc32(head + bytes(4) + table)) + table)
        file.truncate(256 + codes + postings + 64)
        file.seek(256 + codes + postings)
        file.write(struct.pack("<II", 0, rows))


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="needs sparse files")
def test_more_rows_than_fit_are_refused(tmp_path):
    sparse_index(tmp_path / "large.hri", MOST - 1)
    index = hashret.Index.load(tmp_path / "large.hri", mmap=True)
    assert len(index) == MOST - 1
    two = np.zeros((2, 1), np.uint8)
    with pytest.raises(ValueError, match="too many rows"):
        index.add(two)
    with pytest.raises(ValueError, match="too many rows"):
        index.add(two, [MOST + 5, MOST + 7])
    assert len(index) == MOST - 1
    np.testing.assert_array_equal(index.add(two[:1]), [MOST - 1])
    with pytest.raises(ValueError, match="too many rows"):
        index.add(two[:1])
    assert len(index) == MOST
    assert index.search(two[:1], 2)[0].tolist() == [[0, 0]]


# --- memory ----------------------------------------------------------------------

MEMORY = """
import errno, os, resource, sys
import numpy as np, hashret

kind, folder = sys.argv[1:]
rng = np.random.default_rng(0)
tables = 4 if kind == "lsh" else None
codes = rng.integers(0, 256, (150_000, 8), dtype=np.uint8)
if kind == "auto":  # sorts equal codes
    codes[1:] = np.repeat(codes[:50_000], 3, axis=0)[:-1]
first, more = codes[:100_000], codes[100_000:]
queries, k = codes[::15_000].copy(), 20
fresh = np.arange(100_000, 150_000)
before = np.arange(-50_000, 0)[::-1] - 2
UNLIMITED = resource.getrlimit(resource.RLIMIT_AS)[1]


def limit(slack):
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + slack, UNLIMITED))


def attempt(what, make, act, check):
    '''Give more and more memory until it is enough; before that nothing may have changed.'''
    failed, slack, index = 0, 0, make()
    while True:
        limit(slack)
        try:
            done = act(index)
        except MemoryError:
            failed += 1
            done = None
        except OSError as error:  # of the system's, when a file is mapped
            assert error.errno == errno.ENOMEM, error
            failed += 1
            done = None
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (UNLIMITED, UNLIMITED))
        if done is not None:
            break
        check(index)
        slack += max(1 << 17, slack // 3)
        if slack % 5 < 2:
            index = make()
    print(what, failed, flush=True)
    return index, done


def build(codes=first, searched=False):
    index = hashret.Index(64, kind, tables=tables)
    index.add(codes)
    if searched:
        index.search(queries, 1)
    return index


def same(index):
    assert len(index) == 100_000
    np.testing.assert_array_equal(index.ids, np.arange(100_000))
    np.testing.assert_array_equal(index.get(np.arange(5)), first[:5])


def answers(index):
    same(index)
    for got, want in zip(index.search(queries, k), wanted):
        np.testing.assert_array_equal(got, want)


wanted = build().search(queries, k)
_, found = attempt("search", build, lambda i: i.search(queries, k), same)
assert all(np.array_equal(a, b) for a, b in zip(found, wanted))
attempt("range", build, lambda i: i.range_search(queries, 20), same)
ready = lambda: build(searched=True)
attempt("many", ready, lambda i: i.search(codes[:3000], 300), answers)
half = lambda: np.arange(100_000) % 2 == 0
attempt("filter", ready, lambda i: i.search(queries, 5, filter=half()), answers)
index, _ = attempt("add", ready, lambda i: i.add(more), answers)
assert len(index) == 150_000
attempt("add before", ready, lambda i: i.add(more, before), answers)
attempt("remove", ready, lambda i: i.remove(np.arange(40_000)) or True, answers)
attempt("update", ready, lambda i: i.update(more, np.arange(50_000)) or True, answers)
path = os.path.join(folder, "index.hri")
attempt("save", build, lambda i: i.save(path) or True, same)
attempt("load", build, lambda i: hashret.Index.load(path), same)
attempt("stats", build, lambda i: i.stats(), same)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="limits glibc's memory")
@pytest.mark.parametrize("kind", KINDS)
def test_out_of_memory_is_a_memory_error_and_changes_nothing(tmp_path, kind):
    lines = run_python(MEMORY, kind, str(tmp_path)).splitlines()
    failed = {name for name, count in (line.rsplit(" ", 1) for line in lines) if count != "0"}
    assert failed >= {"many", "filter", "add", "add before", "remove", "update", "load", "stats"}
    if kind in ("mih", "auto"):  # these sort the codes
        assert failed >= {"search", "range", "save"}
    assert os.listdir(tmp_path) == ["index.hri"]


# --- Ctrl-C ----------------------------------------------------------------------

INTERRUPTED = """
import signal, sys
import numpy as np, hashret

# A shell starts what runs in the background with SIGINT ignored, which Python then leaves so.
signal.signal(signal.SIGINT, signal.default_int_handler)
(kind,) = sys.argv[1:]
rng = np.random.default_rng(0)
codes = rng.integers(0, 256, (400_000, 16), dtype=np.uint8)
index = hashret.Index(128, kind, tables=8 if kind == "lsh" else None)
index.add(codes)
near = index.search(codes[:50], 5)  # makes the tables
queries = rng.integers(0, 256, (400_000, 16), dtype=np.uint8)
calls = {
    "search": lambda: index.search(queries, 100, probes=1000 if kind == "lsh" else 1),
    "range_search": lambda: index.range_search(queries, 30, probes=1000 if kind == "lsh" else 1),
    "one": lambda: [index.search(query, 1000) for query in queries[:, None]],
}
for name, call in calls.items():
    print("searching:", name, flush=True)
    try:
        call()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    assert len(index) == 400_000
    for got, want in zip(index.search(codes[:50], 5), near):
        np.testing.assert_array_equal(got, want)
    (added,) = index.add(~codes[:1])  # no lock is held
    print(index.search(~codes[:1], 1)[1][0, 0], flush=True)
    index.remove([added])
"""


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT to a process")
@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_ends_a_long_search_and_leaves_the_index_whole(kind):
    """One process for all calls: each finds the index as the last one left it."""
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, kind], stdout=subprocess.PIPE, text=True
    )
    with process:
        for turn, call in enumerate(("search", "range_search", "one")):
            assert process.stdout.readline() == f"searching: {call}\n"
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            sent = time.monotonic()
            assert process.stdout.readline() == "interrupted\n"
            assert time.monotonic() - sent < 5
            assert process.stdout.readline() == f"{400_000 + turn}\n"
    assert process.returncode == 0


@pytest.mark.parametrize("k", [2**32, 2**40, 2**62, 2**64, 10**30])
def test_more_neighbours_than_an_index_can_hold_are_refused(k):
    """Not by what numpy says of an array of that size."""
    codes = np.zeros((3, 8), np.uint8)
    index = hashret.Index(64)
    index.add(codes)
    for call in (
        lambda: index.search(codes, k),
        lambda: index.explain(codes[:1], k),
        lambda: index.neighbor_graph(k),
        lambda: hashret.rerank.by_margins(np.ones((1, 64)), [[0]], codes, k),
        lambda: hashret.rerank.by_vectors([[1.0]], [[0]], [[1.0]], k),
    ):
        with pytest.raises(
            hashret.ParameterError, match=f"k: expected at most 4294967295, got {k}"
        ):
            call()


@pytest.mark.parametrize("name", [["scan"], {}, np.zeros(2), None, 3])
def test_names_that_are_no_names(name):
    with pytest.raises(hashret.ParameterError, match="kind: expected one of"):
        hashret.Index(64, kind=name)
    with pytest.raises(hashret.ParameterError, match="metric: expected one of"):
        hashret.rerank.by_vectors([[1.0]], [[0]], [[1.0]], 1, metric=name)
