"""Pictures decoded one by one, in worker processes that stay for the next."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future

from ..images.reading import Limits, Read, Skipped, read_files
from .lanes import Busy

__all__ = ["Decoder"]

Result = Read | Skipped
# Seconds for which an idle worker stays: it takes half a second to start.
_LINGER = 60.0


class Decoder:
    """Decodes image files as they are asked for.

    Parameters
    ----------
    side : int
        The longer side of the pixels, at most.
    limits : Limits
        Of what one file may cost.
    workers : int
        Processes, at most.
    waiting : int
        Files that may wait.
    """

    def __init__(self, side: int, limits: Limits, workers: int, waiting: int) -> None:
        self._side, self._limits, self._workers = side, limits, workers
        self._most = waiting + workers
        self._requests: queue.SimpleQueue[tuple[Future[Result], bytes] | None]
        self._requests = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._inside = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="decoder", daemon=True)
        self._thread.start()

    def submit(self, path: bytes) -> Future[Result]:
        """Return what will hold the pixels of a file, or why there are none.

        Raises
        ------
        Busy
            If too many wait.
        """
        with self._lock:
            if self._inside >= self._most or self._closed:
                raise Busy("too many pictures at a time")
            self._inside += 1
        future: Future[Result] = Future()
        future.add_done_callback(self._done)
        self._requests.put((future, path))
        return future

    def close(self) -> None:
        """End the worker processes; what waits is given up."""
        self._closed = True
        self._requests.put(None)
        self._thread.join(5)

    def _done(self, future: Future[Result]) -> None:
        with self._lock:
            self._inside -= 1

    def _run(self) -> None:
        while not self._closed:
            first = self._requests.get()
            if first is None:
                return
            source = _Source(self._requests, first)
            try:
                results = read_files(
                    source, side=self._side, limits=self._limits, workers=self._workers
                )
                for result in results:
                    source.answer(result)
            except Exception as error:
                source.fail(error)


class _Source(Iterator[tuple[Future[Result], bytes]]):
    """The files that are asked for; ends for a while when there are none, as `read_files` allows.

    It asks again after each answer: while something is under way there is no waiting here, and
    when nothing is, the workers wait with us.
    """

    def __init__(
        self,
        requests: queue.SimpleQueue[tuple[Future[Result], bytes] | None],
        first: tuple[Future[Result], bytes],
    ) -> None:
        self._requests = requests
        self._first: tuple[Future[Result], bytes] | None = first
        self._under_way: set[Future[Result]] = set()

    def __next__(self) -> tuple[Future[Result], bytes]:
        request, self._first = self._first, None
        while request is None or not request[0].set_running_or_notify_cancel():
            request = self._next()
        self._under_way.add(request[0])
        return request

    def answer(self, result: Result) -> None:
        future: Future[Result] = result.token
        self._under_way.discard(future)
        future.set_result(result)

    def fail(self, error: Exception) -> None:
        while self._under_way:
            self._under_way.pop().set_exception(error)

    def _next(self) -> tuple[Future[Result], bytes]:
        idle = not self._under_way
        try:
            found = self._requests.get(block=idle, timeout=_LINGER if idle else None)
        except queue.Empty:
            raise StopIteration from None
        if found is None:
            self._requests.put(None)
            raise StopIteration
        return found
