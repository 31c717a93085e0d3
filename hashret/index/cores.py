"""How many threads a call uses if nobody says: as many as this process may keep busy."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePosixPath

from ..errors import ParameterError

__all__ = ["available_cores", "leave_cores", "may_start_threads"]

VARIABLE = "HASHRET_THREADS"
# Where systemd and Docker put them, for a mount table that cannot be read.
USUAL_V2 = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
USUAL_V1 = ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct")

# What this process was told to leave to others of its kind.
_left: list[int] = []


def available_cores() -> int:
    """Return the least of the cores of the affinity mask, the CPU quota and HASHRET_THREADS.

    A quota is that of the container, or of any control group around this process, of version 1 or
    2; a part of a core counts as one. It is looked at anew every second, for reading it takes some
    tens of microseconds and others may change it.

    Raises
    ------
    ParameterError
        If ``HASHRET_THREADS`` is set, and is no whole number of at least 1.
    """
    return min([_cores(), *_quotas(int(time.monotonic())), *_asked(), *_left])


def leave_cores(threads: int) -> None:
    """Have a call use at most so many threads from now on: other processes search beside it."""
    _left[:] = [threads]


def may_start_threads() -> bool:
    """Return whether HASHRET_THREADS leaves a thread beside that of the caller.

    On one core there may be one too: it takes turns with the caller, who need not wait for it.

    Raises
    ------
    ParameterError
        As for :func:`available_cores`.
    """
    return 1 not in _asked()


def _asked() -> list[int]:
    asked = os.environ.get(VARIABLE, "").strip()
    return [_whole(asked)] if asked else []


def _whole(asked: str) -> int:
    # isdecimal takes no sign, no point and no blank; int takes every decimal digit there is.
    if not asked.isdecimal() or int(asked[:18]) < 1:
        raise ParameterError(f"{VARIABLE}: expected a whole number of at least 1, got {asked!r}")
    return int(asked[:18])


def _cores() -> int:
    """Cores that this process may run on: PYTHON_CPU_COUNT counts where Python knows it."""
    if hasattr(os, "process_cpu_count"):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read(path: str) -> str:
    """Return the text of a file of the kernel, or nothing if it is not to be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


@lru_cache(maxsize=1)
def _quotas(second: int) -> tuple[int, ...]:
    """Return the whole cores of each quota that holds for this process in a second."""
    return tuple(_read_quotas())


def _read_quotas() -> Iterator[int]:
    for line in _read("/proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            for folder in _folders(path, version=2):
                yield from _cores_of(_read(f"{folder}/cpu.max").split())
        elif "cpu" in controllers.split(","):
            for folder in _folders(path, version=1):
                quota, period = f"{folder}/cpu.cfs_quota_us", f"{folder}/cpu.cfs_period_us"
                yield from _cores_of(_read(quota).split() + _read(period).split())


def _cores_of(quota: list[str]) -> Iterator[int]:
    """Yield the cores, rounded up, that microseconds and a period stand for, if it is a limit."""
    try:
        time, period = (int(number) for number in quota)
    except ValueError:  # "max", or no such file
        return
    if time > 0 and period > 0:
        yield -(-time // period)


@lru_cache(maxsize=64)
def _folders(group: str, version: int) -> tuple[str, ...]:
    """Return the folders of a control group and those around it, as far as they can be seen.

    Kept, since nobody moves the mounts of a process that runs.
    """
    folders: dict[str, None] = {}
    for mount, root in _mounts(version):
        below = PurePosixPath(group)
        # Inside a container the mount shows the part of the tree from `root` on.
        inside = below.relative_to(root) if below.is_relative_to(root) else PurePosixPath(".")
        while True:
            folders[str(PurePosixPath(mount) / inside)] = None
            if inside == inside.parent:
                break
            inside = inside.parent
    return tuple(folders)


def _mounts(version: int) -> tuple[tuple[str, str], ...]:
    """Return where the control groups are mounted, and which of them is the root there."""
    found = [(path, "/") for path in (USUAL_V2 if version == 2 else USUAL_V1)]
    for line in _read("/proc/self/mountinfo").splitlines():
        place, _, kind = line.partition(" - ")
        fields, kinds = place.split(), kind.split()
        if len(fields) < 5 or len(kinds) < 3:
            continue
        second = kinds[0] == "cgroup2"
        first = kinds[0] == "cgroup" and "cpu" in kinds[2].split(",")
        if second if version == 2 else first:
            found.append((fields[4].replace("\\040", " "), fields[3]))
    return tuple(dict.fromkeys(found))
