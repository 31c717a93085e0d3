"""Threads that nobody asked for: as many as the process may keep busy, by mask, quota and wish."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import types

import numpy as np
import pytest

import hashret
from hashret.index import batch, cores, graph, schedule

V2 = "0::/a.slice/b.scope\n"
V1 = "12:devices:/x\n4:cpu,cpuacct:/docker/c\n"
MOUNTS_V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
MOUNTS_V1 = (
    "31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"
    "33 31 0:30 /docker/c /elsewhere/cpu ro - cgroup cgroup rw,cpu,cpuacct\n"
    "34 31 0:31 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
)
ROOT = "/sys/fs/cgroup"


@pytest.fixture
def machine(monkeypatch):
    """A machine of 64 cores with the files that a test names."""

    def make(files, **variables):
        monkeypatch.setattr(cores, "_read", lambda path: files.get(str(path), ""))
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: 64)
        monkeypatch.setattr(os, "process_cpu_count", lambda: 64, raising=False)
        clock = itertools.count()
        monkeypatch.setattr(cores, "time", types.SimpleNamespace(monotonic=clock.__next__))
        cores._folders.cache_clear()
        cores._quotas.cache_clear()
        monkeypatch.delenv("HASHRET_THREADS", raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return cores.available_cores()

    yield make
    cores._folders.cache_clear()
    cores._quotas.cache_clear()


def v2(**quotas):
    """Files of version 2; quotas by folder: root, a and b."""
    folders = {"root": ROOT, "a": f"{ROOT}/a.slice", "b": f"{ROOT}/a.slice/b.scope"}
    files = {f"{folders[name]}/cpu.max": text for name, text in quotas.items()}
    return {"/proc/self/cgroup": V2, "/proc/self/mountinfo": MOUNTS_V2, **files}


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 64),
        (v2(), 64),
        (v2(b="max 100000\n"), 64),
        (v2(b="200000 100000\n"), 2),
        (v2(b="max 100000\n", a="300000 100000\n"), 3),
        (v2(b="400000 100000\n", a="150000 100000\n", root="max 100000"), 2),
        (v2(root="50000 100000\n"), 1),
        (v2(b="1000 100000\n"), 1),
        (v2(b="200001 100000\n"), 3),
        (v2(b="9900000 100000\n"), 64),
        (v2(b=""), 64),
        (v2(b="rubbish\n"), 64),
        (v2(b="200000\n"), 64),
        (v2(b="200000 0\n"), 64),
        (v2(b="-1 100000\n"), 64),
        # The path is one of the host's, the mount the container's.
        ({"/proc/self/cgroup": "0::/../../x\n", f"{ROOT}/cpu.max": "100000 50000"}, 2),
        ({"/proc/self/cgroup": "0::/\n", f"{ROOT}/cpu.max": "100000 50000"}, 2),
        ({"/proc/self/cgroup": "0::/\n", f"{ROOT}/unified/cpu.max": "100000 50000"}, 2),
    ],
)
def test_quotas_of_version_2(machine, files, cores):
    assert machine(files) == cores


@pytest.mark.parametrize(
    ("quota", "period", "cores"),
    [
        ("-1", "100000", 64),
        ("250000", "100000", 3),
        ("50000\n", "100000\n", 1),
        ("250000", "", 64),
        ("", "100000", 64),
        ("200000 100000", "200000 100000", 64),  # neither is of this version
    ],
)
@pytest.mark.parametrize("mounts", [MOUNTS_V1, ""])
def test_quotas_of_version_1(machine, quota, period, cores, mounts):
    folder = "/elsewhere/cpu" if mounts else f"{ROOT}/cpu,cpuacct/docker/c"
    files = {
        "/proc/self/cgroup": V1,
        "/proc/self/mountinfo": mounts,
        f"{folder}/cpu.cfs_quota_us": quota,
        f"{folder}/cpu.cfs_period_us": period,
    }
    assert machine(files) == cores


def test_variable(machine):
    assert machine({}, HASHRET_THREADS="3") == 3
    assert machine({}, HASHRET_THREADS=" 5\n") == 5
    assert machine({}, HASHRET_THREADS="") == 64
    assert machine({}, HASHRET_THREADS="500") == 64
    assert machine(v2(b="200000 100000"), HASHRET_THREADS="3") == 2
    assert machine(v2(b="200000 100000"), HASHRET_THREADS="1") == 1


@pytest.mark.parametrize(
    "value", ["0", "-1", "two", "1.5", "1e3", "+2", "0x2", "2,", "\u00b2", "1_0"]
)
def test_variable_is_checked(machine, value):
    with pytest.raises(hashret.ParameterError, match="HASHRET_THREADS: expected a whole number"):
        machine({}, HASHRET_THREADS=value)


def test_changes_are_followed(machine, monkeypatch):
    files = v2(b="200000 100000")
    assert machine(files) == 2
    files[f"{ROOT}/a.slice/b.scope/cpu.max"] = "500000 100000"
    assert cores.available_cores() == 5
    monkeypatch.setenv("HASHRET_THREADS", "4")
    assert cores.available_cores() == 4
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1}, raising=False)
    monkeypatch.setattr(os, "process_cpu_count", lambda: 1, raising=False)
    assert cores.available_cores() == 1


def test_files_of_the_kernel_are_read_as_they_are():
    assert cores._read("/no/such/file") == ""
    assert cores._read("/") == ""
    assert 1 <= cores.available_cores() <= (os.cpu_count() or 1)


CALLS = {
    "search": lambda index, codes, **t: index.search(codes, 3, **t),
    "range_search": lambda index, codes, **t: index.range_search(codes, 3, **t),
    "neighbor_graph": lambda index, codes, **t: index.neighbor_graph(1, **t),
    "pairs": lambda index, codes, **t: index.pairs(0, **t),
    "duplicates": lambda index, codes, **t: index.duplicates(0, **t),
}


@pytest.mark.parametrize("kind", ["scan", "mih", "auto", "approximate", "lsh"])
@pytest.mark.parametrize("call", CALLS)
def test_every_call_keeps_to_it(rng, machine, monkeypatch, call, kind):
    machine({}, HASHRET_THREADS="2")
    started, run = [], schedule.run_parts

    def counted(task, parts, cancel):
        started.append(parts)
        return run(task, parts, cancel)

    monkeypatch.setattr(batch, "run_parts", counted)
    monkeypatch.setattr(graph, "run_parts", counted)
    monkeypatch.setattr(schedule, "PARALLEL_WORDS", 1)
    codes = rng.integers(0, 256, (6000, 8), np.uint8)
    index = hashret.Index(64, kind, tables=4 if kind == "lsh" else None)
    index.add(codes)
    CALLS[call](index, codes)
    assert started
    assert max(started) == 2
    started.clear()
    CALLS[call](index, codes, threads=3)
    assert max(started) == 3


def test_one_part_is_done_by_a_thread_that_ctrl_c_never_reaches(rng):
    """Another would only wait for it."""
    done = []

    def task(part):
        done.append(threading.current_thread())

    thread = threading.Thread(target=schedule.run_parts, args=[task, 1, None])
    thread.start()
    thread.join()
    schedule.run_parts(task, 1, None)
    assert done[0] is thread
    assert done[1] is not threading.main_thread()


@pytest.mark.parametrize("threads", [1000, 10**6, 2**70])
@pytest.mark.parametrize("call", CALLS)
def test_more_threads_than_anyone_has_are_not_started(rng, monkeypatch, call, threads):
    monkeypatch.setattr(schedule, "PARALLEL_WORDS", 1)
    codes = rng.integers(0, 256, (300, 8), np.uint8)
    index = hashret.Index(64)
    index.add(codes)
    few, many = (CALLS[call](index, codes, threads=n) for n in (1, threads))
    assert [part.tolist() for part in many] == [part.tolist() for part in few]


def test_threads_that_outlive_the_main_one_search_on():
    """Python starts no pools for them any more."""
    script = (
        "import threading, time, numpy as np, hashret\n"
        "codes = np.random.default_rng(0).integers(0, 256, (300_000, 32), np.uint8)\n"
        "index = hashret.Index(256, 'scan')\n"
        "index.add(codes)\n"
        "def late():\n"
        "    threading.main_thread().join()\n"
        "    time.sleep(0.2)\n"
        "    print((index.search(codes[:40], 1, threads=2)[1][:, 0] == np.arange(40)).all())\n"
        "    print(len(index.range_search(codes[:40], 0, threads=2)[1]))\n"
        "    print(index.duplicates(0, threads=2))\n"
        "threading.Thread(target=late).start()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split("\n") == ["True", "40", "[]", ""], done.stderr
