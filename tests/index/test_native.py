"""The border between C and Python: every status has its exception; imports stay light."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hashret
from hashret import _native

OK, NO_MEMORY, BAD_ISA, REPEATED_ID, UNKNOWN_ID = range(5)
TOO_MANY, BAD_FORMAT, BAD_MASK, CANCELLED, NOT_READY, WANTED, NO_IDS = range(5, 12)


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (NO_MEMORY, MemoryError, "here: out of memory"),
        (BAD_ISA, hashret.ParameterError, "instruction set"),
        (REPEATED_ID, hashret.IdError, "here: repeated id 7"),
        (UNKNOWN_ID, hashret.IdError, "here: unknown id 7"),
        (TOO_MANY, hashret.ParameterError, "too many rows"),
        (BAD_FORMAT, hashret.FormatError, "not a valid index file"),
        (BAD_MASK, hashret.ShapeError, "mask of the wrong length"),
        (CANCELLED, KeyboardInterrupt, "^$"),
        (NOT_READY, _native.NotReady, "here: not ready"),
        (WANTED, _native.Wanted, "here: wanted"),
        (NO_IDS, hashret.IdError, "here: none are left after 7; give them yourself"),
    ],
)
def test_statuses_raise(status, error, message):
    with pytest.raises(error, match=message):
        _native.raise_for_status(status, "here", 7)


def test_every_status_is_covered():
    assert _native.raise_for_status(OK, "here") is None
    assert _native.STATUS_COUNT == NO_IDS + 1


def test_errors_are_also_the_expected_builtins():
    assert issubclass(hashret.ShapeError, ValueError)
    assert issubclass(hashret.DTypeError, TypeError)
    assert issubclass(hashret.IdError, KeyError)
    assert issubclass(hashret.MissingExtraError, ImportError)
    assert issubclass(hashret.DatasetNotFoundError, FileNotFoundError)
    assert str(hashret.IdError("ids: unknown id 3")) == "ids: unknown id 3"


def test_import_is_light():
    script = (
        "import sys, time, numpy; start = time.process_time(); import hashret;"
        "print(time.process_time() - start);"
        "heavy = {'torch', 'skimage', 'sklearn', 'PIL', 'matplotlib', 'scipy', 'rich', 'typer'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    fastest = min(
        (
            subprocess.run(
                [sys.executable, "-c", script], capture_output=True, text=True, check=True
            ).stdout.split("\n")[:2]
            for _ in range(3)
        ),
        key=lambda lines: float(lines[0]),
    )
    assert float(fastest[0]) < 0.15
    assert fastest[1] == "[]"


def test_out_of_memory_changes_nothing():
    if sys.platform != "linux":
        pytest.skip("limits address space")
    script = """
import resource, numpy as np, hashret
rng = np.random.default_rng(0)
codes = rng.integers(0, 256, (1_000_000, 64), dtype=np.uint8)
index = hashret.Index(512)
index.add(codes)
with open("/proc/self/statm") as statm:
    used = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (48 << 20), resource.RLIM_INFINITY))
for attempt in (lambda: index.add(codes), lambda: index.search(codes[:64], 500_000)):
    try:
        attempt()
    except MemoryError as error:
        print("MemoryError", len(index))
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
distances, ids = index.search(codes[5:6], 1)
print(ids[0, 0], len(index))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["MemoryError 1000000"] * 2 + ["5 1000000"], done.stderr
