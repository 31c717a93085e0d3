"""Connections to an actor's door, as its client has them."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable

from .wire import Wire, greet

__all__ = ["Exchange", "Line", "LineError"]

# Longer messages are left to Ray: these are sent at once, whether or not the other side reads.
_LONGEST = 2**16
# Connections of a line, and how many are kept that nobody uses.
_MOST, _IDLE = 16, 4
# Seconds to connect.
_CONNECT = 2.0


class LineError(Exception):
    """A connection has ended before the answer came."""


class Line:
    """Connections to one door, each for one message at a time, and kept for the next.

    Nobody who asks ever waits for a connection to be made: where none is free Ray is used, and a
    thread makes one more.

    Parameters
    ----------
    address : (str, int)
        Of the door.
    key : bytes
        That it knows, too.

    Raises
    ------
    OSError
        If nobody answers there who knows the key.
    """

    def __init__(self, address: tuple[str, int], key: bytes) -> None:
        self._address, self._key = address, key
        self._lock = threading.Lock()
        self._is_closed = self._is_growing = False
        self._idle, self._busy = [self._joined()], set[Wire]()
        # A copy of this process must not read answers to others' questions.
        self._process = os.getpid()

    @property
    def is_used(self) -> bool:
        """Whether answers may still come."""
        with self._lock:
            return bool(self._busy)

    def ask(self, message: bytes) -> Exchange | None:
        """Send a message; None if it is too long, or no connection is free.

        Raises
        ------
        LineError
            If the other side is gone.
        """
        if len(message) > _LONGEST or os.getpid() != self._process:
            return None
        with self._lock:
            if self._is_closed or not self._idle:
                self._grow()
                return None
            wire = self._idle.pop()
            self._busy.add(wire)
        try:
            wire.send_bytes(message)
        except OSError as error:
            self.take_back(wire, is_whole=False)
            raise LineError(str(error)) from error
        return Exchange(self, wire)

    def take_back(self, wire: Wire, is_whole: bool) -> None:
        """Keep a connection for the next message, or close it if an answer may still come."""
        with self._lock:
            self._busy.discard(wire)
            if is_whole and not self._is_closed and len(self._idle) < _IDLE:
                self._idle.append(wire)
                return
        wire.close()

    def retire(self) -> None:
        """Take no more messages; those that were sent may still be answered."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for wire in idle:
            wire.close()

    def close(self) -> None:
        """End all connections: those who wait for answers see an error."""
        self.retire()
        with self._lock:
            busy = list(self._busy)
        for wire in busy:
            # Whoever waits closes it.
            wire.end()

    def _grow(self) -> None:
        """Have a thread make one more connection; the lock is held."""
        if not (self._is_closed or self._is_growing) and len(self._busy) < _MOST:
            self._is_growing = True
            threading.Thread(target=self._add, daemon=True).start()

    def _add(self) -> None:
        try:
            wire = self._joined()
        except OSError:
            # Whoever has a connection sees what is wrong.
            wire = None
        with self._lock:
            self._is_growing = False
        if wire is not None:
            self.take_back(wire, is_whole=True)

    def _joined(self) -> Wire:
        joined = socket.create_connection(self._address, timeout=_CONNECT)
        try:
            return greet(joined, self._key)
        except BaseException:
            joined.close()
            raise


class Exchange:
    """A message that was sent, and its answer.

    Attributes
    ----------
    line : Line
        By which it went.
    """

    def __init__(self, line: Line, wire: Wire) -> None:
        self.line, self._wire, self._is_over = line, wire, False

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
        self._end(is_whole=False)
        then()

    def _read(self, first: Callable[[], object]) -> bytes | None:
        """Read on, and let the connection go at the end of it, `first` before that."""
        try:
            message = self._wire.read()
        except OSError as error:
            first()
            self._end(is_whole=False)
            raise LineError(str(error)) from error
        if message is not None:
            first()
            self._end(is_whole=True)
        return message

    def _end(self, is_whole: bool) -> None:
        # Once: another may have the connection by then.
        if not self._is_over:
            self._is_over = True
            self.line.take_back(self._wire, is_whole)
