"""Connections to an actor's door, as its client has them."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable

from .door import CONNECTIONS
from .wire import Wire, greet

__all__ = ["Exchange", "Line", "LineError"]

# Longer messages are left to Ray: these are sent at once, whether or not the other side reads.
_LONGEST = 2**16
# Seconds to connect.
_CONNECT = 2.0


class LineError(Exception):
    """A connection has ended before the answer came."""


class Line:
    """Connections to one door, each for one message at a time, and kept for the next.

    Parameters
    ----------
    address : (str, int)
        Of the door.
    key : bytes
        That it knows, too.

    Raises
    ------
    OSError, multiprocessing.AuthenticationError
        If nobody answers there who knows the key.
    """

    def __init__(self, address: tuple[str, int], key: bytes) -> None:
        self._address, self._key = address, key
        self._lock, self._closed = threading.Lock(), False
        self._idle, self._busy = [self._joined()], set[Wire]()
        # A copy of this process must not read answers to others' questions.
        self._process = os.getpid()

    def ask(self, message: bytes) -> Exchange | None:
        """Send a message; None if it is too long, or too many wait for answers already.

        Raises
        ------
        OSError
            If the other side is gone.
        """
        if len(message) > _LONGEST or os.getpid() != self._process:
            return None
        with self._lock:
            if self._closed or len(self._busy) >= CONNECTIONS:
                return None
            wire = self._idle.pop() if self._idle else None
        wire = wire or self._joined()
        try:
            wire.send_bytes(message)
        except OSError:
            wire.close()
            raise
        with self._lock:
            self._busy.add(wire)
        return Exchange(self, wire)

    def take_back(self, wire: Wire, is_whole: bool) -> None:
        """Keep a connection for the next message, or close it if an answer may still come."""
        with self._lock:
            self._busy.discard(wire)
            if is_whole and not self._closed:
                self._idle.append(wire)
                return
        wire.close()

    def close(self) -> None:
        """End all connections: those who wait for answers see an error."""
        with self._lock:
            self._closed = True
            idle, busy = self._idle, list(self._busy)
            self._idle = []
        for wire in idle:
            wire.close()
        for wire in busy:
            wire.end()

    def _joined(self) -> Wire:
        joined = socket.create_connection(self._address, timeout=_CONNECT)
        try:
            return greet(joined, self._key)
        except BaseException:
            joined.close()
            raise


class Exchange:
    """A message that was sent, and its answer."""

    def __init__(self, line: Line, wire: Wire) -> None:
        self._line, self._wire = line, wire

    def fileno(self) -> int:
        """Return a descriptor that can be read when something of the answer has come."""
        return self._wire.fileno()

    def read(self) -> bytes | None:
        """Return the answer, None if not all of it has come.

        Raises
        ------
        LineError
        """
        return self._read(lambda: None)

    def future(self) -> asyncio.Future[bytes]:
        """Return the answer as a future of the running event loop, which reads it."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        number = self._wire.fileno()

        def read() -> None:
            try:
                # Before another thread may wait for the same connection.
                message = self._read(lambda: loop.remove_reader(number))
            except LineError as error:
                if not future.done():
                    future.set_exception(error)
                    # Seen, so that asyncio does not tell of it where nobody waits any more.
                    future.exception()
                return
            if message is not None and not future.done():
                future.set_result(message)

        loop.add_reader(number, read)
        return future

    def forget(self, then: Callable[[], None]) -> None:
        """Wait for the answer no more."""
        self._line.take_back(self._wire, is_whole=False)
        then()

    def _read(self, first: Callable[[], object]) -> bytes | None:
        """Read on, and let the connection go at the end of it, `first` before that."""
        try:
            message = self._wire.read()
        except OSError as error:
            first()
            self._line.take_back(self._wire, is_whole=False)
            raise LineError(str(error)) from error
        if message is not None:
            first()
            self._line.take_back(self._wire, is_whole=True)
        return message
