"""An actor as its client sees it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .line import Exchange, Line, LineError

__all__ = ["RayReply", "Replica"]

# Seconds until it is tried again to connect, where that did not succeed.
_AGAIN = 60.0


class RayReply:
    """The answer to a message that went by Ray."""

    def __init__(self, reference: Any) -> None:
        self._reference = reference

    def future(self) -> asyncio.Future[Any]:
        """Return the answer as a future of the running event loop."""
        return asyncio.wrap_future(self._reference.future())

    def forget(self, then: Callable[[], None]) -> None:
        """Wait for the answer no more; do something when it has come."""
        self._reference.future().add_done_callback(lambda _: then())


@dataclass(eq=False)
class Replica:
    """One of several actors that serve a shard.

    Attributes
    ----------
    shard : str
        The name of its index file.
    node : str
        Ray's id of its node.
    handle : object
        The actor.
    key : bytes
        That its door knows.
    answers : bool
        Whether its process has answered yet.
    ready : bool
        Whether its shard is open; one that cannot open it tells those who ask why.
    lost : bool
        Whether it is known to have ended.
    doubted : bool
        Whether a connection to it has ended, and nothing was heard of it since.
    waiting : int
        Calls that it has not answered.
    """

    shard: str
    node: str
    handle: Any
    key: bytes = field(repr=False)
    answers: bool = False
    ready: bool = False
    lost: bool = False
    doubted: bool = False
    waiting: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    since: float = field(default_factory=time.monotonic)
    # The call that tells whether it lives, and when one last asked it to open its shard.
    ping: Any = None
    tried: float = 0.0
    pinged: float = 0.0
    _line: Line | None = field(default=None, repr=False)
    # Those of which some answers may still come.
    _retired: list[Line] = field(default_factory=list, repr=False)
    _is_joining: bool = False
    _connected: float = float("-inf")

    def ask(self, message: Any) -> Exchange | RayReply:
        """Have it answer a message: by a connection of our own if there is one, or by Ray."""
        line = self._line
        if line is not None and isinstance(message, bytes):
            try:
                exchange = line.ask(message)
            except LineError:
                self.doubt(line)
            else:
                if exchange is not None:
                    return exchange
        return RayReply(self.handle.call.remote(message))

    def doubt(self, line: Line) -> None:
        """Note that a connection has ended, or says nothing: ask others first, or Ray.

        Until Ray says that it lives, or it answers; then there are new connections.
        """
        line.retire()
        with self._lock:
            if self._line is line:
                self._line, self.doubted, self._connected = None, True, float("-inf")
                self._retired = [line, *(each for each in self._retired if each.is_used)]

    def believe(self, address: tuple[str, int] | None) -> None:
        """Note that it lives, as Ray says, and where its door is; connect if it is ready."""
        self.doubted, now = False, time.monotonic()
        if address is None or not self.ready:
            return
        with self._lock:
            if self._line is not None or self._is_joining or now < self._connected + _AGAIN:
                return
            self._is_joining, self._connected = True, now
        threading.Thread(target=self._join, args=[address], daemon=True).start()

    def disconnect(self) -> None:
        """End all connections of our own; who waits for answers sees an error."""
        with self._lock:
            lines = [each for each in (self._line, *self._retired) if each is not None]
            self._line, self._retired = None, []
        for each in lines:
            each.close()

    def _join(self, address: tuple[str, int]) -> None:
        try:
            line = Line(address, self.key)
        except OSError:
            # A wall between the machines, say: Ray has its ways, and is used.
            line = None
        with self._lock:
            self._is_joining = False
            if not self.lost:
                self._line = line
                return
        if line is not None:
            line.close()

    def begin(self) -> None:
        """Note a call that it has to answer."""
        with self._lock:
            self.waiting += 1

    def end(self) -> None:
        """Note that it has answered one, or never will."""
        with self._lock:
            self.waiting -= 1

    @property
    def is_near(self) -> bool:
        """Whether it is asked by connections of our own."""
        return self._line is not None

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """The less, the sooner it will answer: one that hangs has ever more that wait."""
        return not self.ready, self.doubted, self.waiting
