"""What the task of one shard may take: seconds and resident bytes, measured by us, not by Ray."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ...checks import check_int, check_number
from ...images.reading import Limits

__all__ = ["Bounds", "end_tree", "resident_bytes", "watched"]

# Seconds of a shard, whatever it has: a slow start; and a file, of which hundreds may hang.
_SECONDS, _SECONDS_A_FILE = 600.0, 1.0
# Of the process that encodes: the encoder, a batch of pictures, the codes.
_OWN_BYTES = 3 * 2**30
_PERIOD = 0.2
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Bounds:
    """What encoding one shard may take before its task is ended, and given out again.

    Attributes
    ----------
    seconds : float, optional
        From when it begins; by default ten minutes and a second a file.
    memory : int, optional
        Resident bytes of its process and of those that read for it; by default 3 GiB and what
        they may allocate. Where there is no ``/proc`` nothing is measured.
    attempts : int
        How often it is given out, whatever ends it.
    """

    seconds: float | None = None
    memory: int | None = None
    attempts: int = 4

    def __post_init__(self) -> None:
        if self.seconds is not None:
            check_number("seconds", self.seconds, above=0)
        if self.memory is not None:
            check_int("memory", self.memory, 1)
        check_int("attempts", self.attempts, 1)

    def seconds_of(self, files: int) -> float:
        """Return the seconds of a shard of so many files."""
        return self.seconds or _SECONDS + _SECONDS_A_FILE * files

    def memory_of(self, limits: Limits, workers: int) -> int:
        """Return the bytes of a task with so many processes that read."""
        return self.memory or _OWN_BYTES + workers * limits.memory


@contextmanager
def watched(most: int, tell: Callable[[str], None]) -> Iterator[None]:
    """Measure this process and those below it while a block runs; end them all beyond `most`.

    Parameters
    ----------
    most : int
        Resident bytes.
    tell : callable
        Called with the reason before that.
    """
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_PERIOD):
            size = resident_bytes(os.getpid())
            if size > most:
                with suppress(Exception):
                    tell(f"took {size >> 20} MiB of memory, more than {most >> 20}")
                end_tree(os.getpid())

    thread = threading.Thread(target=watch, name="hashret-memory", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def resident_bytes(pid: int) -> int:
    """Return the bytes that a process and those below it have in memory; shared ones by each."""
    total = 0
    for each in _tree(pid):
        # Ended since.
        with suppress(OSError):
            total += int(Path(f"/proc/{each}/statm").read_text().split()[1]) * _PAGE
    return total


def end_tree(pid: int) -> None:
    """End a process and those below it, at once, and those first that could outlive it."""
    for each in reversed(_tree(pid)):
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def _tree(pid: int) -> list[int]:
    """Return a process and those below it, parents first."""
    found = [pid]
    for each in found:
        for path in Path(f"/proc/{each}/task").glob("*/children"):
            with suppress(OSError):
                found += [int(child) for child in path.read_text().split()]
    return found
