"""A process forked while threads use an index: the child works or raises at once, never hangs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

# Runs in a process of its own, whose threads are few and known. WORK is what they do meanwhile;
# PATIENCE how long a fork waits for those who change the index.
SCRIPT = """
import os, signal, sys, tempfile, threading, time
import numpy as np
import hashret
from hashret import ForkError, Index, _native

signal.alarm(60)
kind, work, patience = sys.argv[1:]
_native._FORK_MILLISECONDS = int(patience)
rng = np.random.default_rng(0)
codes = rng.integers(0, 256, (40_000, 8), np.uint8)
index = Index(64, kind.removeprefix("mapped "), tables=4 if kind == "lsh" else None)
index.add(codes)
if kind.startswith("mapped"):
    path = os.path.join(tempfile.mkdtemp(), "i")
    index.save(path)
    index = Index.load(path, mmap=True)
turn = iter(range(1_000_000))


def change():
    n = 41_000 + next(turn)
    index.add(codes[:2000], np.arange(n * 10_000, n * 10_000 + 2000))
    index.update(codes[2000:2500], np.arange(n * 10_000, n * 10_000 + 500))
    index.remove(np.arange(n * 10_000, n * 10_000 + 2000))


WORK = {
    "search": lambda: index.search(codes[:300], 10, threads=2),
    "change": change,
    "prepare": lambda: Index.from_bytes(data).search(codes[:1], 1),
    "copy": lambda: pairs(index),
    "save": lambda: index.to_bytes(),
    "duplicates": lambda: index.duplicates(3, threads=2),
}


def pairs(index):
    index.pairs(0)
    index.stats()


data = index.to_bytes()


def sound(index):
    "Whether an index in the child answers and changes as it should."
    ids = index.ids
    held = index.get(ids)
    nearest = np.unpackbits(held ^ held[7], axis=1).sum(axis=1)
    order = np.lexsort((ids, nearest))[:5]
    distances, found = index.search(held[7:8], 5, threads=2)
    if kind != "lsh" and not (found[0] == ids[order]).all():
        return False
    mine = index.add(held[:10])
    index.remove(mine[:5])
    index.update(held[:5], mine[5:])
    return len(index) == len(ids) + 5 and found[0, 0] == ids[order[0]] and index.stats()["count"]


def child():
    code = 1
    try:
        whole = bool(sound(index))
        code = 0 if whole else 1
    except ForkError:
        code = 7
        for again in (lambda: index.ids, lambda: index.search(codes[:1], 1), lambda: len(index),
                      lambda: index.add(codes[:1]), lambda: index.to_bytes(), lambda: 3 in index):
            try:
                again()
                code = 2
            except ForkError:
                pass
    finally:
        fresh = Index(64)
        fresh.add(codes[:100])
        if not sound(fresh):
            code = 3
        os._exit(code)


over = threading.Event()


def keep_on():
    while not over.is_set():
        WORK[work]()


threads = [threading.Thread(target=keep_on) for _ in range(2 if work != "change" else 1)]
for thread in threads:
    thread.start()
seen = {}
for _ in range(8):
    time.sleep(0.01)
    start = time.monotonic()
    process = os.fork()
    if not process:
        child()
    status = os.waitpid(process, 0)[1]
    seen[os.waitstatus_to_exitcode(status)] = seen.get(os.waitstatus_to_exitcode(status), 0) + 1
over.set()
for thread in threads:
    thread.join()
assert sound(index)
print(sorted(seen))
"""


def run(*arguments):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, *arguments],
        capture_output=True,
        text=True,
        timeout=90,
    )
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize(
    ("kind", "work"),
    [
        ("auto", "search"),
        ("auto", "change"),
        ("auto", "prepare"),
        ("auto", "copy"),
        ("mih", "save"),
        ("mapped auto", "duplicates"),
        ("mapped auto", "change"),
        ("scan", "change"),
        ("lsh", "search"),
    ],
)
def test_child_works_or_raises(kind, work):
    seen, said = run(kind, work, "50")
    assert seen in ("[0]", "[0, 7]", "[7]"), (seen, said)


def test_an_index_caught_in_a_change_is_refused_in_the_child():
    """Nobody waits for the change to end: some children raise, and all can fill a new index."""
    seen, said = run("scan", "change", "0")
    assert seen in ("[0, 7]", "[7]"), (seen, said)


def test_child_of_multiprocessing():
    script = (
        "import multiprocessing as m, numpy as np, threading, hashret\n"
        "codes = np.random.default_rng(0).integers(0, 256, (20_000, 8), np.uint8)\n"
        "index = hashret.Index(64)\n"
        "index.add(codes)\n"
        "over = threading.Event()\n"
        "def work():\n"
        "    while not over.is_set(): index.search(codes[:200], 5, threads=2)\n"
        "def ask(row): return int(index.search(codes[row : row + 1], 1)[1][0, 0])\n"
        "thread = threading.Thread(target=work)\n"
        "thread.start()\n"
        "with m.get_context('fork').Pool(2) as pool: print(pool.map(ask, range(5)))\n"
        "over.set()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "[0, 1, 2, 3, 4]\n", done.stderr


def test_forking_itself_costs_the_parent_nothing_it_held():
    """After forks the parent's index changes and answers as before; dead indexes are forgotten."""
    script = (
        "import gc, os, numpy as np, hashret\n"
        "from hashret import _native\n"
        "index = hashret.Index(8)\n"
        "index.add(np.arange(10, dtype=np.uint8)[:, None])\n"
        "for _ in range(20):\n"
        "    other = hashret.Index(8)\n"
        "    process = os.fork()\n"
        "    if not process: os._exit(len(index))\n"
        "    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 10\n"
        "index.remove([3])\n"
        "gc.collect()\n"
        "print(len(index), len(_native._indexes), len(_native._still))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "9 2 0\n", done.stderr


def test_fork_from_a_thread_that_searches():
    """As a pool does that replaces its workers from a thread of its own."""
    script = (
        "import os, threading, numpy as np, hashret\n"
        "codes = np.random.default_rng(0).integers(0, 256, (20_000, 8), np.uint8)\n"
        "index = hashret.Index(64)\n"
        "index.add(codes)\n"
        # The first search sorts the codes, which is a change, of which a fork may see half.
        "index.search(codes[:1], 1)\n"
        "seen = []\n"
        "def work():\n"
        "    for _ in range(8):\n"
        "        index.search(codes[:50], 5, threads=2)\n"
        "        process = os.fork()\n"
        "        if not process:\n"
        "            index.add(codes[:2])\n"
        "            os._exit(index.search(codes[7:8], 1)[1].item())\n"
        "        seen.append(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))\n"
        "threads = [threading.Thread(target=work) for _ in range(3)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "index.add(codes[:1])\n"
        "print(set(seen), len(seen), len(index))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "{7} 24 20001\n", done.stderr
