"""Sorting and merging beside searches: answers, files, forks, and too little of everything."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hashret
from hashret import _native

MANY = 200_000  # takes long enough to be sorted beside


def fresh(bits, kind, codes, ids):
    index = hashret.Index(bits, kind)
    index.add(codes, ids)
    index.compact()
    return index


def contents(index):
    """The file without its header, which also tells the largest id that ever was."""
    return index.to_bytes()[256:]


def finish(index):
    """Wait until a merge is over."""
    index._native.make_ready(_native.Cancel())


def fill(n=MANY, bits=64, kind="mih", seed=0):
    codes = oracle.random_codes(np.random.default_rng(seed), n, bits)
    index = hashret.Index(bits, kind)
    index.add(codes)
    return index, codes


# --- what comes of a merge ---------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(
    bits=st.sampled_from([5, 64, 70, 200]),
    values=st.sampled_from([1, 7, 60, 5000]),
    sizes=st.lists(st.integers(0, 90), min_size=2, max_size=5),
    spread=st.sampled_from([1, 3, 10**15]),
    removed=st.sampled_from([0.0, 0.1, 0.7, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_merging_gives_what_sorting_anew_gives(bits, values, sizes, spread, removed, seed):
    """Byte for byte, however the codes came; ids of one part lie among those of others."""
    rng = np.random.default_rng(seed)
    pool = oracle.random_codes(rng, values, bits)
    ids = rng.permutation(sum(sizes)).astype(np.int64) * spread
    codes = pool[rng.integers(0, len(pool), len(ids))]
    index, left = hashret.Index(bits, "mih"), np.zeros(len(ids), np.bool_)
    for size, start in zip(sizes, np.cumsum([0, *sizes[:-1]]), strict=True):
        index.add(codes[start : start + size], ids[start : start + size])
        left[start : start + size] = True
        gone = left & (rng.random(len(ids)) < removed)
        index.remove(ids[gone])
        left[gone] = False
        index.compact()
    assert contents(index) == contents(fresh(bits, "mih", codes[left], ids[left]))


@pytest.mark.parametrize("kind", ["auto", "mih"])
def test_what_is_changed_during_a_merge_is_in_what_comes_of_it(rng, kind):
    index, codes = fill(bits=128, kind=kind)
    model = dict(enumerate(codes))
    assert index._native.prepare_beside(1)
    turns = 0
    while turns < 3 or (turns < 40 and index.explain(codes[:1], 1).way == "scan"):
        ids = rng.permutation(np.fromiter(model, np.int64))[:900]
        index.remove(ids[:300])
        index.update(codes[ids[300:600] % MANY], ids[600:])
        new = index.add(codes[turns * 500 : turns * 500 + 500])
        for id in ids[:300].tolist():
            del model[id]
        model.update(zip(ids[600:].tolist(), codes[ids[300:600] % MANY], strict=True))
        model.update(zip(new.tolist(), codes[turns * 500 : turns * 500 + 500], strict=True))
        turns += 1
    finish(index)
    ids = np.array(sorted(model))
    held = np.array([model[id] for id in ids.tolist()])
    np.testing.assert_array_equal(index.ids, ids)
    np.testing.assert_array_equal(index.get(ids), held)
    # There are tables; what they cost here does not count.
    index._native.set_policy("probe")
    assert index.explain(codes[:1], 1).way == "mih"
    for got, want in zip(
        index.search(codes[:3], 20), oracle.search(codes[:3], held, ids, 20), strict=True
    ):
        np.testing.assert_array_equal(got, want)
    index.compact()
    assert contents(index) == contents(fresh(128, kind, held, ids))


def test_a_search_goes_on_without_what_takes_long_to_make():
    """A fresh index is scanned; a call that would scan for longer than sorting takes waits."""
    index, codes = fill()
    told = index.explain(codes[7:8], 1)
    assert told.way == "scan"
    assert told.exact
    assert told.candidates >= MANY
    finish(index)
    assert index.explain(codes[7:8], 1).way == "mih"

    index, codes = fill()
    distances, ids = index.search(codes[:1000], 1)
    assert not distances.any()
    np.testing.assert_array_equal(ids.ravel(), np.arange(1000))
    assert index.explain(codes[7:8], 1).way == "mih"


def test_few_codes_are_sorted_at_once():
    index, codes = fill(100_000)
    assert index.explain(codes[7:8], 1).way == "mih"
    index, codes = fill(300, kind="mih")
    assert index.explain(codes[7:8], 1).way == "mih"


@pytest.mark.parametrize("kind", ["scan", "auto", "mih", "lsh"])
def test_compacting(rng, kind):
    """It drops what removed codes take, and can be done to any index at any time."""
    index = hashret.Index(64, kind, tables=4 if kind == "lsh" else None)
    index.compact()
    codes = oracle.random_codes(rng, 60_000, 64)
    ids = rng.permutation(60_000)
    index.add(codes[:50_000], ids[:50_000])
    index.add(codes[50_000:], ids[50_000:])
    index.remove(ids[:20_000])
    index.compact()
    size = index.stats()["bytes"]
    index.compact()
    assert index.stats()["bytes"] == size
    again = hashret.Index(64, kind, tables=4 if kind == "lsh" else None)
    again.add(codes[20_000:], ids[20_000:])
    again.compact()
    assert size <= again.stats()["bytes"]
    for got, want in zip(index.search(codes[:9], 5), again.search(codes[:9], 5), strict=True):
        np.testing.assert_array_equal(got, want)
    index.remove(ids[20_000:])
    index.compact()
    assert len(index) == 0
    assert index.search(codes[:1], 1)[1].tolist() == [[-1]]


def test_removing_all_during_a_merge():
    index, codes = fill()
    index.search(codes[:1], 1)
    index.remove(np.arange(MANY))
    assert index.search(codes[:1], 1)[1].tolist() == [[-1]]
    finish(index)
    assert index.search(codes[:1], 1)[1].tolist() == [[-1]]
    np.testing.assert_array_equal(index.add(codes[:10]), MANY + np.arange(10))
    index.compact()
    assert contents(index) == contents(fresh(64, "mih", codes[:10], MANY + np.arange(10)))


# --- files, forks and ends ----------------------------------------------------------


@pytest.mark.parametrize("mmap", [False, True])
def test_a_file_saved_during_a_merge_is_whole(tmp_path, mmap):
    index, codes = fill()
    index.search(codes[:1], 1)
    index.save(tmp_path / "i.hri")
    loaded = hashret.Index.load(tmp_path / "i.hri", mmap=mmap)
    np.testing.assert_array_equal(loaded.get(np.arange(MANY)), codes)
    # What is mapped is merged with what comes.
    loaded.add(~codes[: MANY // 4])
    loaded.search(codes[:1], 1)
    loaded.remove([3])
    finish(loaded)
    left = np.setdiff1d(np.arange(MANY + MANY // 4), [3])
    both = np.concatenate([codes, ~codes[: MANY // 4]])[left]
    loaded.compact()
    assert contents(loaded) == contents(fresh(64, "mih", both, left))


def run(script, *arguments, **options):
    begin = (
        "import os, resource, signal, sys, threading, time\n"
        "import numpy as np, hashret\n"
        "from hashret import _native\n"
        "signal.alarm(100)\n"
        "codes = np.random.default_rng(0).integers(0, 256, (600_000, 16), np.uint8)\n"
        "index = hashret.Index(128, 'mih')\n"
        "index.add(codes)\n"
        "def answers(): return index.search(codes[500:503], 1)[1].ravel().tolist()\n"
        "def threads(): return len(os.listdir('/proc/self/task')) - before\n"
        "before = 0\n"
        "before = threads()\n"
    )
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", begin + script, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def test_an_index_is_dropped_during_a_merge():
    for _ in range(3):
        index, codes = fill()
        index.search(codes[:1], 1)
        start = time.monotonic()
        del index
        assert time.monotonic() - start < 2


linux = pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")


@linux
def test_the_interpreter_ends_during_a_merge():
    done = run("print(answers(), threads())")
    assert (done.returncode, done.stdout) == (0, "[500, 501, 502] 1\n"), done.stderr


@linux
def test_one_thread_means_one():
    done = run(
        "print(answers(), threads(), index.explain(codes[:1], 1).way)",
        env={**os.environ, "HASHRET_THREADS": "1"},
    )
    assert done.stdout == "[500, 501, 502] 0 mih\n", done.stderr


@linux
def test_the_thread_ends_with_its_work():
    done = run(
        "answers(); index._native.make_ready(_native.Cancel())\n"
        "while threads(): time.sleep(0.01)\n"
        "print(answers(), threads(), index.explain(codes[:1], 1).way)"
    )
    assert done.stdout == "[500, 501, 502] 0 mih\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("patience", ["50", "0"])
def test_a_fork_during_a_merge(patience):
    """Both go on with whole indexes; whether or not the thread stops in time.

    Where it is not waited for, it may be putting what it made into the index just then: that is
    lost in the child, which says so.
    """
    done = run(
        "_native._FORK_MILLISECONDS = int(sys.argv[1])\n"
        "seen = []\n"
        "for turn in range(3):\n"
        "    assert answers() == [500, 501, 502]\n"
        "    process = os.fork()\n"
        "    if not process:\n"
        "        try: index.remove([turn])\n"
        "        except hashret.errors.ForkError: os._exit(2)\n"
        "        right = answers() == [500, 501, 502]\n"
        "        index.compact()\n"
        "        right &= answers() == [500, 501, 502] and len(index) == 599_999\n"
        "        os._exit(0 if right else 1)\n"
        "    seen.append(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))\n"
        "index._native.make_ready(_native.Cancel())\n"
        "print(answers(), index.explain(codes[:1], 1).way, *seen)",
        patience,
    )
    way, _, seen = done.stdout.partition(" mih ")
    assert way == "[500, 501, 502]", done.stderr
    assert set(seen.split()) <= ({"0"} if patience == "50" else {"0", "2"}), done.stderr


@pytest.mark.skipif(os.name == "nt", reason="sends signals to a process")
def test_a_process_killed_during_a_merge_loses_nothing_that_was_saved(tmp_path):
    done = run(
        "index.save(sys.argv[1])\n"
        "index.add(~codes)\n"
        "index.search(~codes[:1], 1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)",
        str(tmp_path / "i.hri"),
    )
    assert done.returncode == -signal.SIGKILL
    loaded = hashret.Index.load(tmp_path / "i.hri")
    codes = np.random.default_rng(0).integers(0, 256, (600_000, 16), np.uint8)
    np.testing.assert_array_equal(loaded.get(np.arange(600_000)), codes)
    assert os.listdir(tmp_path) == ["i.hri"]


@pytest.mark.skipif(os.name == "nt", reason="sends signals to a process")
def test_ctrl_c_ends_compacting_and_leaves_the_index_whole():
    done = run(
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "more = np.tile(codes, (3, 1))\n"
        "index.add(more)\n"
        "threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try:\n"
        "    index.compact()\n"
        "    print('not interrupted')\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
        "index.remove(np.arange(600_000, 2_400_000))\n"
        "print(answers())\n"
        "index.compact()\n"
        "print(answers(), len(index))"
    )
    assert done.stdout == ("interrupted\n[500, 501, 502]\n[500, 501, 502] 600000\n"), done.stderr


# --- too little ------------------------------------------------------------------------

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="limits glibc's memory")


@glibc
def test_out_of_memory_in_a_merge_leaves_the_old_state_searched():
    """At each of many limits: the search is answered though nothing can be sorted."""
    done = run(
        "unlimited = resource.getrlimit(resource.RLIMIT_AS)[1]\n"
        "def limit(slack):\n"
        "    now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (now + slack, unlimited))\n"
        "ways = []\n"
        "for slack in (16, 20, 26, 36, 200):\n"
        "    index = hashret.Index(128, 'mih')\n"
        "    index.add(codes)\n"
        "    limit(slack << 20)\n"
        "    right = answers() == [500, 501, 502]\n"
        "    while index._native.working: time.sleep(0.005)\n"
        "    right &= answers() == [500, 501, 502]\n"
        "    ways.append(index.explain(codes[:1], 1).way)\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (unlimited, unlimited))\n"
        "    assert right and (index.get(np.arange(600_000)) == codes).all()\n"
        "index.compact()\n"
        "print(ways, answers())",
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "16384", "MALLOC_TRIM_THRESHOLD_": "16384"},
    )
    assert done.stdout.startswith("['scan', 'scan',"), (done.stdout, done.stderr)
    assert done.stdout.endswith("'mih'] [500, 501, 502]\n"), (done.stdout, done.stderr)


@glibc
def test_where_no_thread_can_be_had_the_search_sorts():
    """A thread's stack is as large as that of the process may be, and here larger than memory."""
    done = run(
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + (512 << 20), now + (512 << 20)))\n"
        "print(answers(), threads(), index.explain(codes[:1], 1).way)",
        preexec_fn=large_stacks,
    )
    assert done.stdout == "[500, 501, 502] 0 mih\n", (done.stdout, done.stderr)


def large_stacks():
    import resource

    resource.setrlimit(
        resource.RLIMIT_STACK, (1 << 30, resource.getrlimit(resource.RLIMIT_STACK)[1])
    )


def test_searches_do_not_wait_for_a_merge(rng):
    """The longest of many takes a part of what sorting takes, though each finds codes unsorted."""
    index, codes = fill(800_000)
    start = time.monotonic()
    fresh(64, "mih", codes, np.arange(len(codes)))
    alone = time.monotonic() - start
    over, longest = threading.Event(), [0.0]

    def add():
        for turn in range(20):
            index.add(codes[turn * 1000 : turn * 1000 + 20_000])
        over.set()

    writer = threading.Thread(target=add)
    writer.start()
    while not over.is_set() or index.explain(codes[:1], 1).way == "scan":
        start = time.monotonic()
        distances, _ = index.search(codes[700:701], 1)
        longest[0] = max(longest[0], time.monotonic() - start)
        assert not distances.any()
    writer.join()
    assert longest[0] < alone
