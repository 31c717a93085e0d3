"""One worker as its parent sees it."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Self

import numpy as np

from .protocol import LONGEST_ANSWER, PIPE_BYTES, READY, Settings, slots_for, task, values_of
from .results import NO_PIXELS, CodeOf, Limits, Read, Skipped

_START = "import sys; sys.path[:] = {path!r}; from {package}.worker import main; main()"
# Of starting a program and importing numpy, on a machine with other things to do.
_START_SECONDS = 120.0
_END_SECONDS = 5.0
_CHUNK = 2**16
# Each worker is one thread; what numpy's libraries set up for more only takes memory.
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
# Of glibc, which otherwise gives memory back after each picture, and gets it again page by page:
# an eighth of the time of reading and hashing 12 megapixels.
_KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**26)}


@dataclass(frozen=True)
class Task:
    """A file to read, and what its caller calls it."""

    token: Any
    path: bytes


class Worker:
    """A process that reads files, several tasks ahead.

    Attributes
    ----------
    tasks : deque of (slot, Task)
        Without an answer, in order: the worker is at the first.
    ready : bool
        Whether it has said that it started.
    """

    def __init__(
        self, side: int, limits: Limits, shows: bool, functions: Mapping[str, CodeOf]
    ) -> None:
        with _shared_file() as file, _Pipe() as tasks, _Pipe() as answers:
            slots = slots_for(side, min(tasks.bytes, answers.bytes))
            self._settings = Settings(
                side,
                limits.pixels,
                limits.seconds,
                limits.memory,
                file.fileno(),
                slots,
                shows,
                {name: f"{one.__module__}:{one.__name__}" for name, one in functions.items()},
            )
            size = self._settings.slots * self._settings.slot_bytes
            os.ftruncate(file.fileno(), size)
            self._shared = mmap.mmap(file.fileno(), size)
            self._process = _started(self._settings, tasks.output, answers.input)
            self._tasks, self._answers = tasks.take_input(), answers.take_output()
        os.set_blocking(self._answers, False)
        self.tasks: deque[tuple[int, Task]] = deque()
        self._free = list(range(self._settings.slots))
        self._unread = b""
        self.ready = False
        self._garbled = False
        self._since = time.monotonic()

    def fileno(self) -> int:
        """Return the descriptor that is readable when there are answers, or the process ended."""
        return self._answers

    @property
    def free(self) -> int:
        """How many more tasks it takes."""
        return len(self._free)

    @property
    def deadline(self) -> float:
        """When it must have answered, by ``time.monotonic()``."""
        return self._since + (self._settings.seconds if self.ready else _START_SECONDS)

    def send(self, tasks: list[Task]) -> None:
        """Hand out tasks, no more than are `free`."""
        if not self.tasks and self.ready:
            self._since = time.monotonic()
        slots = [self._free.pop() for _ in tasks]
        self.tasks.extend(zip(slots, tasks, strict=True))
        framed = b"".join(task(slot, each.path) for slot, each in zip(slots, tasks, strict=True))
        # If it has ended, that will be seen at its output.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._tasks, framed)

    def receive(self) -> tuple[list[Read | Skipped], bool]:
        """Return the answers that have come, and whether more can come."""
        results: list[Read | Skipped] = []
        while not self._garbled:
            try:
                chunk = os.read(self.fileno(), _CHUNK)
            except BlockingIOError:
                return results, True
            if not chunk:
                return results, False
            *lines, self._unread = (self._unread + chunk).split(b"\n")
            try:
                for line in lines:
                    if (result := self._result(line)) is not None:
                        results.append(result)
                if len(self._unread) > LONGEST_ANSWER:
                    raise ValueError("an answer without end")
            except (ValueError, LookupError):
                # The file that it is at has taken over the process. What else comes is no answer,
                # and would put the blame on a later file.
                self._garbled = True
        return results, False

    def end(self, reason: str | None) -> tuple[list[Read | Skipped], list[Task], str]:
        """End the process.

        Parameters
        ----------
        reason : str or None
            Why the file that it is at was not read; by default what the process ended by.

        Returns
        -------
        results : list
            Last answers, and the file that it was at.
        tasks : list
            That it had not begun.
        ended : str
            What the process ended by.
        """
        if reason is not None:
            self._process.kill()
        results, _ = self.receive()
        ended = _described(self.close())
        if self._garbled:
            reason = "its decoder wrote among the answers"
        left = [each for _, each in self.tasks]
        if left and self.ready:
            results.append(Skipped(left.pop(0).token, reason or f"its decoder {ended}"))
        return results, left, ended

    def close(self) -> int | None:
        """End the process, whatever it is at; return its status, None if it does not end."""
        self._process.kill()
        os.close(self._tasks)
        os.close(self._answers)
        self._shared.close()
        # A process that waits for a dead network drive goes when the drive does.
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(_END_SECONDS)
        return None

    def _result(self, line: bytes) -> Read | Skipped | None:
        if not self.ready:
            self.ready = line + b"\n" == READY
            self._since = time.monotonic()
            return None
        values = values_of(line)
        slot, task = self.tasks[0]
        if values.pop("slot") != slot:
            raise ValueError("an answer to another task")
        digest = values.pop("content")
        if "reason" in values:
            content = None if digest is None else bytes.fromhex(digest)
            result: Read | Skipped = Skipped(task.token, content=content, **values)
        else:
            pixels = self._pixels(slot, *values.pop("shape"))
            codes = self._codes(values.pop("codes"))
            result = Read(task.token, bytes.fromhex(digest), pixels=pixels, codes=codes, **values)
        self.tasks.popleft()
        self._free.append(slot)
        # Not before: bytes that are no answer yet win no time.
        self._since = time.monotonic()
        return result

    def _pixels(self, slot: int, height: int, width: int) -> Any:
        side = self._settings.side
        if not (1 <= height <= side and 1 <= width <= side):
            raise ValueError("pixels of no such size")
        if not self._settings.shows:
            return NO_PIXELS
        start = slot * self._settings.slot_bytes
        return (
            np.frombuffer(self._shared, np.uint8, 3 * height * width, start)
            .reshape(height, width, 3)
            .copy()
        )

    def _codes(
        self, made: dict[str, tuple[str, float | None]]
    ) -> dict[str, tuple[bytes, float | None]]:
        if made.keys() != self._settings.functions.keys():
            raise ValueError("codes of other functions")
        return {name: (bytes.fromhex(code), quality) for name, (code, quality) in made.items()}


class _Pipe:
    """A pipe, of more bytes than usual where the system can; closed but for what was taken.

    Attributes
    ----------
    output, input : int
        The descriptors that are read from, and written to.
    bytes : int
        How many it holds.
    """

    def __init__(self) -> None:
        self.output, self.input = os.pipe()
        self._open = {self.output, self.input}
        self.bytes = 2**16 if sys.platform == "linux" else 2**14
        if sys.platform == "linux":
            # The user may have too many pipes for larger ones.
            with contextlib.suppress(OSError):
                self.bytes = fcntl.fcntl(self.input, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def take_input(self) -> int:
        """Return the descriptor for writing, which the caller closes."""
        self._open.remove(self.input)
        return self.input

    def take_output(self) -> int:
        """Return the descriptor for reading, which the caller closes."""
        self._open.remove(self.output)
        return self.output

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._open:
            os.close(descriptor)


def _started(settings: Settings, tasks: int, answers: int) -> subprocess.Popen[bytes]:
    package = __name__.rpartition(".")[0]
    code = _START.format(path=_import_path(), package=package)
    return subprocess.Popen(
        # -P: modules in the folder that the caller stands in, one of photographs, are not ours.
        [sys.executable, "-P", "-c", code, settings.dumps()],
        stdin=tasks,
        stdout=answers,
        pass_fds=(settings.shared,),
        env=os.environ | _ONE_THREAD | _KEPT_MEMORY,
        # Ctrl-C is for the parent, which ends its workers.
        process_group=0,
    )


def _import_path() -> list[str]:
    """Return where the caller imports from, and where this package lies."""
    package = __name__.partition(".")[0]
    home = os.path.dirname(os.path.dirname(os.path.abspath(sys.modules[package].__file__ or "")))
    path = [entry for entry in sys.path if os.path.isabs(entry)]
    return path if home in path else [*path, home]


def _shared_file() -> BinaryIO:
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("hashret-pixels"), "r+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _described(status: int | None) -> str:
    if status is None:
        return "did not end"
    if status >= 0:
        return f"ended with status {status}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-status).name}"
    return f"was ended by signal {-status}"
