"""What a worker and its parent say to each other.

Tasks go to the worker's input, framed: the slot, the length of the path, the path. Answers come
from its output, a line of JSON each, at once when a file is done and in the order of the tasks, so
that the first task without an answer is the one a worker is at. The first line says that it is
ready. Pixels lie in memory that both map, a slot a task; a slot is used again when its answer has
been taken, which bounds what is under way. Answers and tasks of all slots fit into a pipe: neither
side waits to write.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

LONGEST_PATH = 4096  # bytes; PATH_MAX of Linux, more than that of others
LONGEST_REASON = 400  # characters, of which JSON may make six bytes each
LONGEST_ANSWER = 4096  # bytes
READY = b'{"ready": true}\n'
_MOST_SLOTS = 14  # tasks with the longest paths fill 57 KiB of a pipe's 64
_SHARED = 2**26
_TASK = struct.Struct("<HH")


@dataclass(frozen=True)
class Settings:
    """What a worker is told when it starts.

    Attributes
    ----------
    side : int
        The longer side of pixels, at most.
    pixels, seconds, memory
        The limits, see :class:`.results.Limits`.
    shared : int
        The descriptor of the memory for pixels.
    """

    side: int
    pixels: int
    seconds: float
    memory: int
    shared: int

    @property
    def slot_bytes(self) -> int:
        """Bytes that the pixels of one picture may take."""
        return 3 * self.side * self.side

    @property
    def slots(self) -> int:
        """How many tasks a worker may have at a time: two at least, one done and one under way."""
        return max(2, min(_MOST_SLOTS, _SHARED // self.slot_bytes))

    def dumps(self) -> str:
        """Return them as text for a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Settings:
        """Return settings from their text."""
        return cls(**json.loads(text))


def task(slot: int, path: bytes) -> bytes:
    """Frame a task for the worker's input."""
    return _TASK.pack(slot, len(path)) + path


def tasks(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield slots and paths as they come in."""
    while len(head := stream.read(_TASK.size)) == _TASK.size:
        slot, length = _TASK.unpack(head)
        yield slot, stream.read(length)


def answer(slot: int, **values: Any) -> bytes:
    """Return an answer as a line."""
    return json.dumps({"slot": slot, **values}).encode() + b"\n"
