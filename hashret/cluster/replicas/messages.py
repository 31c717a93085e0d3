"""What goes to an actor and comes back: bytes if it is short, which costs least.

Only bytes go by a connection of our own. Of anything else Ray makes two parts by Python code; but
large arrays it hands over without copying them.
"""

from __future__ import annotations

import pickle
from typing import Any

__all__ = ["as_bytes", "packed", "unpacked"]

# Bytes of an array from which a copy costs more than Ray's way.
_LARGE = 2**16


def packed(value: tuple[Any, ...]) -> Any:
    """Return the message of a tuple: its bytes, or itself if it has large arrays.

    Examples
    --------
    >>> unpacked(packed(("search", 10)))
    ('search', 10)
    """
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL, buffer_callback=_is_short)
    except _LargeError:
        return value


def as_bytes(message: Any) -> bytes:
    """Return the bytes of a message, whatever it has."""
    return message if isinstance(message, bytes) else pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


def unpacked(message: Any) -> Any:
    """Return the tuple of a message."""
    return pickle.loads(message) if isinstance(message, bytes) else message


def _is_short(buffer: pickle.PickleBuffer) -> bool:
    if buffer.raw().nbytes > _LARGE:
        raise _LargeError
    return True


class _LargeError(Exception):
    """An array is too large for its bytes to be copied."""
