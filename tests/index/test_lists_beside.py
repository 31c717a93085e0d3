"""Lists made beside searches: answers meanwhile, changes, forks, ends, and too little memory."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import threading

import numpy as np
import oracle
import pytest

import hashret
from hashret import _native
from hashret.ranking import Hamming

N, BITS = 20_000, 128


def clusters(n, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 256, (max(n // 100, 1), BITS // 8), np.uint8)
    flips = np.packbits(rng.random((n, BITS), np.float32) < 0.1, axis=1)
    return centres[rng.integers(0, len(centres), n)] ^ flips


@pytest.fixture(scope="module")
def codes():
    return clusters(N)


@pytest.fixture
def index(codes):
    index = hashret.Index(BITS, "approximate", recall=0.9)
    index.add(codes)
    return index


def same(found, wanted):
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(got, want)


def test_answers_are_exact_until_lists_are_made(index, codes):
    told = index.explain(codes[7:8], 1)
    assert (told.way, told.exact) == ("scan", True)
    assert told.reason == "all codes were compared: lists are being made"
    ids = np.arange(N)
    same(index.search(codes[:5] ^ 1, 20), oracle.search(codes[:5] ^ 1, codes, ids, 20))
    same(index.range_search(codes[:5], 20), oracle.range_search(codes[:5], codes, ids, 20))
    allowed = np.arange(0, N, 3)
    some = oracle.search(codes[:5], codes[allowed], allowed, 20)
    same(index.search(codes[:5], 20, filter=index.filter(allowed)), some)
    assert not index.tuning().exact
    assert index.explain(codes[7:8], 1).way == "lists"


def test_a_call_for_very_many_queries_waits(index, codes):
    index.search(codes[np.arange(17_000)], 1)
    assert index.explain(codes[:1], 1).way == "lists"


def check(index, model, queries, k=10):
    """What is found is there, at the distance it has, in order; the nearest ones mostly are."""
    ids = np.array(sorted(model))
    held = np.array([model[id] for id in ids.tolist()])
    np.testing.assert_array_equal(index.ids, ids)
    np.testing.assert_array_equal(index.get(ids), held)
    distances, found = index.search(queries, k)
    wanted = oracle.search(queries, held, ids, k)[0]
    for query, row, names in zip(queries, distances, found, strict=True):
        true = np.bitwise_count(held[np.searchsorted(ids, names)] ^ query).sum(axis=1)
        np.testing.assert_array_equal(row, true)
        np.testing.assert_array_equal(np.lexsort((names, row)), np.arange(k))
    assert (distances <= wanted[:, -1:]).mean() > 0.7
    return wanted, distances


def test_changes_while_lists_are_made_and_made_again(rng, index, codes):
    """Each turn begins anew where the last one was stopped, or finds it done."""
    index._native.set_soon(0)
    model = dict(enumerate(codes))
    for turn in range(8):
        index.search(codes[:1], 1)  # has lists made where they are missing
        ids = rng.permutation(np.array(sorted(model)))[:600]
        index.remove(ids[:200])
        index.update(codes[ids[200:400] % N], ids[400:])
        for id in ids[:200].tolist():
            del model[id]
        model.update(zip(ids[400:].tolist(), codes[ids[200:400] % N], strict=True))
        fresh = clusters(500, turn + 1)
        model.update(zip(index.add(fresh).tolist(), fresh, strict=True))
        if turn % 4 == 1:
            assert index._native.rest(-1)  # what is frozen stays so, and is searched
        if turn % 4 == 3:
            index._native.make_ready(_native.Cancel())
            assert index.explain(codes[:1], 10).way == "lists"
        check(index, model, np.concatenate([codes[:2], fresh[:2]]))
    again = hashret.Index(BITS, "approximate", recall=0.9)
    ids = np.array(sorted(model))
    again.add(np.array([model[id] for id in ids.tolist()]), ids)
    assert again.to_bytes()[256:] == index.to_bytes()[256:]


def test_searches_go_on_while_lists_are_made(index, codes):
    wrong = []

    def ask(start):
        for i in range(start, start + 200):
            distances, ids = index.search(codes[i : i + 1], 1)
            if distances[0, 0] or (codes[ids[0, 0]] != codes[i]).any():
                wrong.append(i)  # its own list is always looked into

    threads = [threading.Thread(target=ask, args=(start,)) for start in (0, 5000)]
    for thread in threads:
        thread.start()
    index._native.make_ready(_native.Cancel())
    for thread in threads:
        thread.join()
    assert not wrong
    assert index.explain(codes[:1], 1).way == "lists"


def test_removing_all_while_lists_are_made(index, codes):
    index.search(codes[:1], 1)
    index.remove(np.arange(N))
    assert index.search(codes[:1], 1)[1].tolist() == [[-1]]
    index._native.make_ready(_native.Cancel())
    assert index.search(codes[:1], 1)[1].tolist() == [[-1]]
    np.testing.assert_array_equal(index.add(codes[:10]), N + np.arange(10))
    index.compact()
    assert index.search(codes[:1], 1)[1].tolist() == [[N]]


@pytest.mark.parametrize("mmap", [False, True])
def test_a_file_saved_while_lists_are_made_has_them(index, codes, tmp_path, mmap):
    index.search(codes[:1], 1)
    index.remove([3])
    index.save(tmp_path / "i.hri")
    loaded = hashret.Index.load(tmp_path / "i.hri", mmap=mmap)
    assert loaded.explain(codes[7:8], 1).way == "lists"
    before = loaded.tuning()
    more = clusters(3000, seed=9)
    loaded.add(more)
    loaded.remove([5])
    assert loaded.explain(codes[7:8], 1).way == "lists"  # the old ones
    left = np.setdiff1d(np.arange(N + 3000), [3, 5])
    model = dict(zip(left.tolist(), np.concatenate([codes, more])[left], strict=True))
    check(loaded, model, codes[:3])
    assert loaded.tuning().lists > before.lists
    check(loaded, model, codes[:3])


def test_no_ranking_rule_takes_lists_for_sorted(index, codes):
    with pytest.raises(hashret.ParameterError, match="rule: expected an index of kind"):
        index.ranked(Hamming(BITS))


# --- forks, ends, and too little -----------------------------------------------------


def run(script, *arguments, **options):
    begin = (
        "import os, resource, signal, sys\n"
        f"sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
        f"sys.path.insert(0, {os.path.dirname(os.path.dirname(__file__))!r})\n"
        "import numpy as np, hashret\n"
        "from hashret import _native\n"
        "from test_lists_beside import clusters\n"
        "signal.alarm(100)\n"
        f"codes = clusters({N})\n"
        f"index = hashret.Index({BITS}, 'approximate', recall=0.9)\n"
        "index.add(codes)\n"
        "def answers(): return index.search(codes[500:503], 1)[1].ravel().tolist()\n"
        "def way(): return index.explain(codes[:1], 1).way\n"
    )
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", begin + script, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


@pytest.mark.skipif(os.name == "nt", reason="sends signals to a process")
def test_the_process_ends_or_is_killed_while_lists_are_made(tmp_path):
    done = run("print(answers(), way())\ndel index")
    assert (done.returncode, done.stdout) == (0, "[500, 501, 502] scan\n"), done.stderr
    path = str(tmp_path / "i.hri")
    done = run(
        "index.save(sys.argv[1])\n"
        "index.add(~codes)\n"
        "answers()\n"
        "assert index._native.working\n"
        "os.kill(os.getpid(), signal.SIGKILL)",
        path,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    np.testing.assert_array_equal(hashret.Index.load(path).get(np.arange(N)), clusters(N))
    assert os.listdir(tmp_path) == ["i.hri"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("patience", ["50", "0"])
def test_a_fork_while_lists_are_made(patience):
    """Both go on with whole indexes; whether or not the thread stops in time."""
    done = run(
        "_native._FORK_MILLISECONDS = int(sys.argv[1])\n"
        "assert answers() == [500, 501, 502]\n"
        "process = os.fork()\n"
        "if not process:\n"
        "    index.remove([0])\n"
        "    right = answers() == [500, 501, 502] and not index.tuning().exact\n"
        "    right &= answers() == [500, 501, 502] and len(index) == len(codes) - 1\n"
        "    os._exit(0 if right else 1)\n"
        "ended = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])\n"
        "index.tuning()\n"
        "print(ended, answers(), way())",
        patience,
    )
    assert done.stdout == "0 [500, 501, 502] lists\n", done.stderr


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="limits glibc's memory")
def test_out_of_memory_leaves_the_old_state():
    """At each of many limits, of an index without lists and of one that has some."""
    done = run(
        "unlimited = resource.getrlimit(resource.RLIMIT_AS)[1]\n"
        "def make(slack):\n"
        "    now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (now + (slack << 10), unlimited))\n"
        "    try:\n"
        "        index._native.make_ready(_native.Cancel())\n"
        "        return True\n"
        "    except MemoryError:\n"
        "        return False\n"
        "    finally:\n"
        "        resource.setrlimit(resource.RLIMIT_AS, (unlimited, unlimited))\n"
        "def check():\n"
        "    assert answers() == [500, 501, 502]\n"
        "    assert (index.get(np.arange(len(codes))) == codes).all()\n"
        "    index._native.rest(-1)\n"
        "for old in ('scan', 'lists'):\n"
        "    made = []\n"
        "    for slack in (100, 400, 700, 1000, 1400, 1900, 20_000):\n"
        "        made.append(make(slack))\n"
        "        if not made[-1]: assert way() == old, way()\n"
        "        check()\n"
        "    print(made[:3], made[-1], way())\n"
        "    index.add(clusters(2000, 5))",
        env={
            **os.environ,
            "MALLOC_ARENA_MAX": "1",
            "MALLOC_MMAP_THRESHOLD_": "16384",
            "MALLOC_TRIM_THRESHOLD_": "16384",
        },
    )
    assert done.stdout == "[False, False, False] True lists\n" * 2, (done.stdout, done.stderr)
