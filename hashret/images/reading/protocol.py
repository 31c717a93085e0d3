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
import math
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

LONGEST_PATH = 4096  # bytes; PATH_MAX of Linux, more than that of others
LONGEST_REASON = 400  # characters, of which JSON may make six bytes each
LONGEST_ANSWER = 4096  # bytes
READY = b'{"ready": true}\n'
# Enough that a worker goes on while its parent encodes what was read.
_MOST_SLOTS = 64
_SHARED = 2**26
_DIGEST = re.compile("[0-9a-f]{64}")
_HEX = re.compile("([0-9a-f]{2})+")
_TASK = struct.Struct("<HH")
# What a pipe must hold for the tasks and answers of all slots.
PIPE_BYTES = _MOST_SLOTS * (_TASK.size + LONGEST_PATH)


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
    slots : int
        How many tasks a worker may have at a time.
    shows : bool
        Whether pixels are wanted.
    functions : dict of str to str
        What to call with the pixels, by name: ``module:function``.
    """

    side: int
    pixels: int
    seconds: float
    memory: int
    shared: int
    slots: int
    shows: bool
    functions: dict[str, str]

    @property
    def slot_bytes(self) -> int:
        """Bytes that the pixels of one picture may take."""
        return slot_bytes(self.side)

    def dumps(self) -> str:
        """Return them as text for a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Settings:
        """Return settings from their text."""
        return cls(**json.loads(text))


def slot_bytes(side: int) -> int:
    """Return the bytes that the pixels of one picture may take."""
    return 3 * side * side


def slots_for(side: int, pipe: int) -> int:
    """Return how many tasks a worker may have: two at least, one done and one under way.

    Parameters
    ----------
    side : int
    pipe : int
        Bytes that each of the two pipes holds.
    """
    fit = pipe // (_TASK.size + LONGEST_PATH)
    return max(2, min(fit, _MOST_SLOTS, _SHARED // slot_bytes(side)))


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


def values_of(line: bytes) -> dict[str, Any]:
    """Return the values of an answer, of the types and sizes that a worker gives them.

    Raises
    ------
    ValueError
        If it is none: a decoder that a file has taken over may write anything.
    """
    # Longer ones need not be parsed, which takes a stack.
    if len(line) > LONGEST_ANSWER:
        raise ValueError("an answer too long")
    try:
        values = json.loads(line)
    except RecursionError:
        raise ValueError("an answer too deep") from None
    kinds = _SKIPPED if isinstance(values, dict) and "reason" in values else _READ
    if not isinstance(values, dict) or values.keys() != kinds.keys():
        raise ValueError("an answer of other values")
    if not all(fits(values[name]) for name, fits in kinds.items()):
        raise ValueError("an answer with a value that is none")
    return values


def _is_number(value: object) -> bool:
    return type(value) is int and -(2**127) < value < 2**127


def _is_size(value: object) -> bool:
    return type(value) is int and 0 < value < 2**31


def _is_shape(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_size, value))


def _is_text(value: object) -> bool:
    # Half a surrogate pair, which no file or database takes, is an error of encode().
    return isinstance(value, str) and len(value.encode()) < LONGEST_ANSWER


def _are_codes(value: object) -> bool:
    pairs = value.values() if isinstance(value, dict) else [()]
    return all(
        isinstance(pair, list)
        and len(pair) == 2
        and isinstance(pair[0], str)
        and _HEX.fullmatch(pair[0]) is not None
        and (pair[1] is None or (type(pair[1]) is float and math.isfinite(pair[1])))
        for pair in pairs
    )


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


_READ: dict[str, Callable[[object], bool]] = {
    "slot": _is_number,
    "content": _is_digest,
    "size": _is_number,
    "mtime_ns": _is_number,
    "format": _is_text,
    "width": _is_size,
    "height": _is_size,
    "taken": lambda value: value is None or _is_text(value),
    "shape": _is_shape,
    "codes": _are_codes,
}
_SKIPPED: dict[str, Callable[[object], bool]] = {
    "slot": _is_number,
    "content": lambda value: value is None or _is_digest(value),
    "reason": _is_text,
    "picture": lambda value: isinstance(value, bool),
}
