"""How a call is divided among threads, and running it on them so that Ctrl-C can stop it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Literal, TypeVar

from .. import _native
from .cores import available_cores

__all__ = ["Plan", "plan", "run_aside", "run_parts", "thread_limit"]

# Below this many 64-bit words compared, starting threads costs more than it gains.
PARALLEL_WORDS = 1 << 23
# A bucket and its candidates cost about as much as comparing this many words.
WORDS_PER_PROBE = 256
# From so many queries on, threads share the queries and not the codes.
FEW_QUERIES = 32
# Seconds after which a thread that waits looks for Ctrl-C, which does not always wake it where
# Python has no global lock (3.13.5).
WAIT = 0.1 if not getattr(sys, "_is_gil_enabled", lambda: True)() else None
# Fewer codes are sorted and have tables within some tenths of a second.
SOON_READY = 1 << 20

T = TypeVar("T")


# How many threads share what. "here": on the calling thread, as it is over before another has
# started. "buckets": there too, but only what a look into buckets answers; the rest is planned
# again. "queries", "rows": each thread has a part of the queries, or of the index's rows.
Plan = tuple[Literal["here", "buckets", "queries", "rows"], int]


def plan(
    reader: _native.Reader,
    request: _native.Request,
    threads: int | None,
    k: int | None,
    again: bool,
) -> Plan:
    """Plan the search of what a reader sees, on at most so many threads.

    Parts of the rows are for results that can be merged: the k nearest, not all within a radius,
    of which `k` is None. What a look into buckets has left is planned `again`.
    """
    index, count = reader.index, request.count
    kind = index.kind
    compared = reader.compared
    if kind == "approximate":
        tuned = None if k is None else reader.tuning(k)
        kind, compared = ("scan", compared) if tuned is None else (kind, tuned[-1])
    if not again:
        if kind == "lsh":
            words = count * index.tables * request.probes * WORDS_PER_PROBE
        else:
            words = count * compared * ((index.bits + 63) // 64)
        if words < PARALLEL_WORDS:
            return "here", 1
        few = FEW_QUERIES if k is not None and kind == "auto" else 2
        if kind in ("auto", "mih") and count < few:
            return "buckets", 1
    limit = thread_limit(threads)
    # Parts of the rows would each look into all buckets.
    if k is not None and count < limit and kind in ("auto", "scan"):
        return "rows", limit
    return "queries", max(min(limit, count), 1)


def thread_limit(threads: int | None) -> int:
    """Return how many threads a call may use: what it was told, or as many as there are cores."""
    return available_cores() if threads is None else threads


def run_parts(task: Callable[[int], T], parts: int, cancel: _native.Cancel) -> list[T]:
    """Call ``task(0) .. task(parts - 1)`` at once on as many threads.

    The calling thread only waits, so that Ctrl-C reaches it; then, and if a
    part fails, `cancel` stops the others, and all are over on return. A thread that cannot
    be started is a MemoryError: there is no room for its stack. Threads that outlive the main
    one cannot start others in Python; they do all of it themselves, and any that Ctrl-C never
    reaches does a single part itself.
    """
    if parts == 1 and threading.current_thread() is not threading.main_thread():
        return [task(0)]
    pool = ThreadPoolExecutor(parts, thread_name_prefix="hashret")
    try:
        futures = _start(pool, task, parts)
        return [_result(future) for future in futures]
    except _EndingError:
        return [task(part) for part in range(parts)]
    except BaseException:
        cancel.set()
        raise
    finally:
        pool.shutdown()


def run_aside(task: Callable[[], T], codes: int, cancel: _native.Cancel) -> T:
    """Call what sorts so many codes; if that takes long, on a thread that Ctrl-C can stop."""
    if codes < SOON_READY:
        return task()
    return run_parts(lambda part: task(), 1, cancel)[0]


def _start(pool: ThreadPoolExecutor, task: Callable[[int], T], parts: int) -> list[Future[T]]:
    try:
        return [pool.submit(task, part) for part in range(parts)]
    except RuntimeError as error:
        if "shutdown" not in str(error):
            raise MemoryError(f"search: {error}") from None
        pool.shutdown(cancel_futures=True)
        raise _EndingError from None


def _result(future: Future[T]) -> T:
    while WAIT is not None and not future.done():
        with suppress(TimeoutError):
            future.exception(WAIT)
    return future.result()


class _EndingError(Exception):
    """The interpreter is shutting down."""
