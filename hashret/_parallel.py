"""Running parts of one engine call on several threads, and stopping them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from . import _native

T = TypeVar("T")


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_parts(
    task: Callable[[int], T], parts: int, cancel: _native.Cancel, *, here: bool = False
) -> list[T]:
    """Call ``task(0) .. task(parts - 1)`` at once on as many threads.

    The calling thread only waits, so that Ctrl-C reaches it; then, and if a
    part fails, `cancel` stops the others, and all are over on return. With
    `here`, meant for short work, the calling thread does it itself.
    """
    if here:
        return [task(part) for part in range(parts)]
    pool = ThreadPoolExecutor(parts, thread_name_prefix="hashret")
    try:
        futures = [pool.submit(task, part) for part in range(parts)]
        return [future.result() for future in futures]
    except BaseException:
        cancel.set()
        raise
    finally:
        pool.shutdown()
