"""Where an actor answers by connections of its own."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from .wire import Wire, welcome

__all__ = ["Door"]

_LOG = logging.getLogger(__name__)
# Connections of one door, whoever makes them.
_VISITORS = 128
# Seconds until it is tried again to take a connection: this process has no descriptor left, or
# may start no thread.
_PAUSE = 0.1
# And until it is told again that somebody was refused.
_QUIET = 60.0


class Door:
    """A listening socket, and a thread for each connection by which messages are answered.

    Parameters
    ----------
    host : str
        An address of this machine.
    key : bytes
        Who does not know it is not answered.
    answer : callable
        What to answer a message; called by several threads.
    at_once : int
        How many calls of it there may be at once.

    Attributes
    ----------
    address : (str, int)
        Host and port.

    Raises
    ------
    OSError
        If the host is no address of this machine.
    """

    def __init__(
        self, host: str, key: bytes, answer: Callable[[bytes], bytes], at_once: int
    ) -> None:
        self._key, self._answer = key, answer
        self._turns = threading.BoundedSemaphore(at_once)
        self._room = threading.BoundedSemaphore(_VISITORS)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, 0), family=family)
        self.address: tuple[str, int] = self._listening.getsockname()[:2]
        self._is_closed, self._told = False, float("-inf")
        threading.Thread(target=self._run, name="hashret-door", daemon=True).start()

    def close(self) -> None:
        """Take no more connections; those that there are go on."""
        self._is_closed = True
        # Wakes the thread that waits, which closing alone does not.
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _run(self) -> None:
        while not self._is_closed:
            try:
                joined, _ = self._listening.accept()
            except OSError:
                time.sleep(_PAUSE)
                continue
            if not self._room.acquire(blocking=False):
                joined.close()
                continue
            try:
                threading.Thread(target=self._serve, args=[joined], daemon=True).start()
            except RuntimeError:
                joined.close()
                self._room.release()
                time.sleep(_PAUSE)

    def _serve(self, joined: socket.socket) -> None:
        try:
            with joined, suppress(OSError):
                wire = self._welcomed(joined)
                while wire is not None:
                    message = wire.recv_bytes()
                    with self._turns:
                        answer = self._answer(message)
                    wire.send_bytes(answer)
        finally:
            self._room.release()

    def _welcomed(self, joined: socket.socket) -> Wire | None:
        try:
            return welcome(joined, self._key)
        except PermissionError as error:
            if time.monotonic() > self._told + _QUIET:
                self._told = time.monotonic()
                _LOG.warning("refused a connection: %s", error)
            return None
