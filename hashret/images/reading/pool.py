"""Many files, read by a few worker processes."""

from __future__ import annotations

import os
import selectors
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from ...checks import check_int
from ...errors import HashretError
from ...extras import import_extra
from .process import Task, Worker
from .protocol import LONGEST_PATH
from .results import CodeOf, Limits, Read, Skipped

_Result = Read | Skipped
# In a row, before it is the machine's fault rather than chance.
_STARTS = 3


def read_files(
    files: Iterable[tuple[Any, bytes]],
    *,
    side: int,
    limits: Limits | None = None,
    workers: int | None = None,
    shows: bool = True,
    functions: Mapping[str, CodeOf] | None = None,
) -> Iterator[Read | Skipped]:
    """Read and decode image files in processes of their own.

    A file that is damaged, hangs, crashes its decoder or takes too much memory costs itself: it is
    skipped with a reason, its process is replaced. Pipes, devices and dangling links are skipped,
    too. `files` is read a few files ahead of what is yielded, and no further.

    Parameters
    ----------
    files : iterable of (token, path)
        `path` in bytes; `token` comes back with the result.
    side : int
        The longer side of the pixels, at most; smaller pictures are not enlarged.
    limits : Limits, optional
    workers : int, optional
        Processes; one for each CPU this process may use by default.
    shows : bool
        Whether the pixels are wanted.
    functions : mapping of str to callable, optional
        Called by the workers with the pixels of each picture, which gives :attr:`Read.codes`: so
        what takes its time is done on all CPUs, and few bytes travel. They are found by their
        modules and names, and what they import, each worker does.

    Yields
    ------
    result : Read or Skipped
        One for each file, in any order.

    Raises
    ------
    MissingExtraError
        Without pillow.
    HashretError
        If worker processes do not start.

    Notes
    -----
    Closing the iterator, or an exception such as KeyboardInterrupt, ends the processes. An answer
    is waited for within ``limits.seconds``, while the iterator runs; the time between two results
    is the caller's own.
    """
    import_extra("PIL", "images")
    side = check_int("side", side, 1)
    limits = limits or Limits()
    count = _cpus() if workers is None else check_int("workers", workers, 1)
    return _results(
        _Pool(partial(Worker, side, limits, shows, functions or {}), limits, count), files
    )


def _results(pool: _Pool, files: Iterable[tuple[Any, bytes]]) -> Iterator[_Result]:
    source = iter(files)
    try:
        while True:
            yield from pool.fill(source)
            if not pool.workers:
                return
            yield from pool.wait()
    finally:
        pool.close()


class _Pool:
    """The workers that run now, and the tasks that are to be handed out again."""

    def __init__(self, start: Callable[[], Worker], limits: Limits, count: int) -> None:
        self._start_worker, self._limits, self._count = start, limits, count
        self.workers: list[Worker] = []
        self._again: deque[Task] = deque()
        self._failed_starts = 0
        self._selector = selectors.DefaultSelector()

    def fill(self, source: Iterator[tuple[Any, bytes]]) -> Iterator[Skipped]:
        """Hand out tasks while workers take some; end those for whom there are none."""
        handed: dict[Worker, list[Task]] = {}
        while (worker := self._next_free(handed)) is not None or len(self.workers) < self._count:
            task = self._again.popleft() if self._again else _next_task(source)
            if task is None:
                break
            if len(task.path) > LONGEST_PATH:
                yield Skipped(task.token, "cannot be read: its path is too long")
                continue
            if worker is None or (self._load(worker, handed) and len(self.workers) < self._count):
                worker = self._start()
            handed.setdefault(worker, []).append(task)
        for worker, tasks in handed.items():
            worker.send(tasks)
        for worker in [worker for worker in self.workers if not worker.tasks]:
            self._remove(worker)
            worker.close()

    def wait(self) -> list[_Result]:
        """Return the answers that come next; replace workers that have ended or are late.

        All before the caller has any of them: it may take its time, which is not the workers'.
        """
        soonest = min(worker.deadline for worker in self.workers)
        events = self._selector.select(max(0.0, soonest - time.monotonic()))
        ready = {key.fileobj for key, _ in events}
        results: list[_Result] = []
        for worker in list(self.workers):
            if worker in ready:
                answers, alive = worker.receive()
                results += answers
                if not alive:
                    results += self._ended(worker, None)
            elif time.monotonic() > worker.deadline:
                results += self._ended(worker, f"not read within {self._limits.seconds:g} s")
        return results

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.close()
        self.workers.clear()
        self._selector.close()

    def _next_free(self, handed: dict[Worker, list[Task]]) -> Worker | None:
        free = [each for each in self.workers if each.free > len(handed.get(each, ()))]
        return min(free, key=lambda each: self._load(each, handed), default=None)

    @staticmethod
    def _load(worker: Worker, handed: dict[Worker, list[Task]]) -> int:
        return len(worker.tasks) + len(handed.get(worker, ()))

    def _start(self) -> Worker:
        worker = self._start_worker()
        self.workers.append(worker)
        self._selector.register(worker, selectors.EVENT_READ)
        return worker

    def _remove(self, worker: Worker) -> None:
        self._selector.unregister(worker)
        self.workers.remove(worker)

    def _ended(self, worker: Worker, reason: str | None) -> list[_Result]:
        self._remove(worker)
        results, left, status = worker.end(reason)
        self._again.extendleft(reversed(left))
        self._failed_starts = 0 if worker.ready else self._failed_starts + 1
        if self._failed_starts == _STARTS:
            raise HashretError(f"workers to read images do not start: the last {status}")
        return results


def _next_task(source: Iterator[tuple[Any, bytes]]) -> Task | None:
    found = next(source, None)
    return None if found is None else Task(*found)


def _cpus() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
