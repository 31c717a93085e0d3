"""Messages of bytes between two processes that know one key, without Ray between them.

A call by Ray costs the two sides and Ray's own processes more than a search of a small shard does;
over a socket it costs a fraction of that. Nothing that comes is unpickled before both sides have
shown that they know the key.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import answer_challenge, deliver_challenge
from typing import Any

__all__ = ["Wire", "greet", "welcome"]

_LENGTH = struct.Struct("<Q")
# Bytes that are read at a time, and how often on end where others wait, too.
_PART, _PARTS = 2**18, 16
# Of a socket whose other side does not read: a request of ours fits.
_BUFFERED = 2**18
# Seconds in which the other side has to show that it knows the key.
_GREETING = 5.0


class Wire:
    """Messages over a connected socket, each after its length.

    Attributes
    ----------
    deadline : float, optional
        Until when what is read has to have come, by the monotonic clock.
    """

    def __init__(self, joined: socket.socket) -> None:
        joined.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        joined.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        joined.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFERED)
        self._socket, self._come = joined, bytearray()
        self.deadline: float | None = None

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._socket.fileno()

    def send_bytes(self, message: bytes) -> None:
        """Send a message; an error if the socket does not block and there is no room."""
        self._socket.sendall(_LENGTH.pack(len(message)) + message)

    def read(self, most: int | None = None) -> bytes | None:
        """Return the next message; None if it has not come and the socket does not block.

        Raises
        ------
        OSError
            If the connection is at its end, or the message longer than `most` bytes.
        """
        parts = 0
        while len(self._come) < (end := self._end(most)):
            try:
                part = self._part()
            except BlockingIOError:
                return None
            if not part:
                raise ConnectionResetError("the other side has closed the connection")
            self._come += part
            parts += 1
            if parts >= _PARTS and self._socket.gettimeout() == 0:
                return None
        with memoryview(self._come) as come:
            message = bytes(come[_LENGTH.size : end])
        del self._come[:end]
        return message

    def recv_bytes(self, most: int | None = None) -> bytes:
        """Wait for the next message; this and :meth:`send_bytes` are what a challenge needs."""
        message = self.read(most)
        assert message is not None, "the socket must block"
        return message

    def end(self) -> None:
        """Have whoever reads, here and there, see the end, from any thread."""
        # It may have ended already.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection, which nobody reads any more, in copies of this process, too."""
        self.end()
        self._socket.close()

    def _part(self) -> bytes:
        if self.deadline is not None:
            self._socket.settimeout(max(self.deadline - time.monotonic(), 1e-3))
        return self._socket.recv(_PART)

    def _end(self, most: int | None) -> int:
        """Return up to where the next message goes, of what is known of it."""
        if len(self._come) < _LENGTH.size:
            return _LENGTH.size
        [length] = _LENGTH.unpack_from(self._come)
        if most is not None and length > most:
            raise OSError(f"a message of {length} bytes, where at most {most} are expected")
        return int(_LENGTH.size + length)


def welcome(joined: socket.socket, key: bytes) -> Wire:
    """Return the wire of one who has come and knows the key; the socket then blocks.

    Raises
    ------
    PermissionError
        If the other side does not know it.
    OSError
        If it does not say so in time, or is gone.
    """
    wire = _shaken(joined, key, deliver_challenge, answer_challenge)
    joined.settimeout(None)
    return wire


def greet(joined: socket.socket, key: bytes) -> Wire:
    """Return the wire to one who knows the key, too; the socket then does not block.

    Raises
    ------
    PermissionError, OSError
        As for :func:`welcome`.
    """
    wire = _shaken(joined, key, answer_challenge, deliver_challenge)
    joined.setblocking(False)
    return wire


def _shaken(joined: socket.socket, key: bytes, *challenges: Callable[[Any, bytes], None]) -> Wire:
    wire = Wire(joined)
    wire.deadline = time.monotonic() + _GREETING
    try:
        for each in challenges:
            each(wire, key)
    except OSError:
        raise
    except Exception as error:
        # Whoever is there may say anything; Python's own functions assert some of it.
        raise PermissionError(f"the other side does not know the key: {error}") from error
    wire.deadline = None
    return wire
