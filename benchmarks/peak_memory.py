"""Memory that building takes, in a process of its own: ``-m benchmarks.peak_memory N KIND``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import hashret

from . import data


def resident(what: str) -> int:
    """Bytes of this process in memory: ``VmRSS`` now, ``VmHWM`` at most (Linux)."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found, f"no {what} in /proc/self/status"
    return int(found[1]) * 1024


def forget_peak() -> int:
    """Begin a new measurement of ``VmHWM``; what is in memory now."""
    # Linux forgets the highest mark so far when 5 is written here.
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


def main(count: int, kind: str) -> None:
    codes, queries, bits = data.uniform(count, 64)
    index = hashret.Index(bits, kind)
    index.add(codes[:1000])
    before = forget_peak()
    index.add(codes[1000:])
    index.compact()
    index.search(queries[:1], 1, threads=1)
    peak = resident("VmHWM") - before
    print(json.dumps({"peak": peak, "index": index.stats()["bytes"]}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
