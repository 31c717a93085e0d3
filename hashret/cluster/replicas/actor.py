"""What runs in the cluster: one shard, opened, which answers calls."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any, NamedTuple

from ...errors import UnavailableError
from ...index.cores import leave_cores
from ..cache import Cache
from ..location import open_location
from ..manifest import Manifest, Shard
from ..shard import OpenShard
from .door import Door
from .messages import as_bytes, packed, unpacked

__all__ = ["Pong", "ShardActor"]

# Seconds over which calls are counted.
_RECENT = 60.0
_SEARCHES = frozenset({"search", "range_search"})
# Searches at a time by connections of its own; each uses the cores that it finds idle.
CONCURRENCY = 16


class Pong(NamedTuple):
    """What an actor says that is asked whether it lives.

    Attributes
    ----------
    opened : bool
        Whether its shard is open, as far as was asked for.
    address : (str, int), optional
        Of its door, if it has one.
    """

    opened: bool
    address: tuple[str, int] | None


class ShardActor:
    """One shard.

    Errors are answers, too: only what ends the process is an error of Ray. The shard is opened by
    the first call, so that one that cannot be is told to who asks.
    """

    def __init__(
        self,
        location: str,
        folder: str | None,
        budget: int | None,
        shard: Shard,
        head: Manifest,
        node: str,
        host: str,
        key: bytes,
    ) -> None:
        self._location, self._cache = open_location(location), Cache(folder, budget)
        self._shard, self._head, self._node = shard, head, node
        self._lock, self._counting = threading.Lock(), threading.Lock()
        self._open: OpenShard | None = None
        # Why it could not be opened, the last time.
        self._reason: str | None = None
        self._recent: deque[float] = deque(maxlen=100_000)
        self._calls, self._seconds = 0, 0.0
        self._door: Door | None = None
        # Without one it is called by Ray.
        with suppress(OSError):
            self._door = Door(host, key, lambda message: as_bytes(self.call(message)), CONCURRENCY)

    def call(self, message: Any) -> Any:
        """Call a method of :class:`.OpenShard`.

        Parameters
        ----------
        message : object
            Of :func:`.packed`: the method's name, the shard, the other arguments.

        Returns
        -------
        message : object
            Whether it succeeds, and its answer or error.
        """
        try:
            method, shard, arguments = unpacked(message)
            opened, start = self._opened(), time.monotonic()
            answer = getattr(opened, method)(shard, *arguments)
        except Exception as error:
            return _failed(error)
        if method in _SEARCHES:
            self._note(start, time.monotonic())
        return packed((True, answer))

    def ping(self, threads: int, opens: bool) -> Pong:
        """Use at most so many threads a call from now on; open the shard if that is wanted."""
        leave_cores(threads)
        opened = False
        # Who searches is told why it is not.
        with suppress(Exception):
            opened = opens and self._opened() is not None
        return Pong(opened, self._door.address if self._door else None)

    def status(self) -> dict[str, Any]:
        """Return what it serves, and how much."""
        since = time.monotonic() - _RECENT
        with self._counting:
            recent = sum(when > since for when in self._recent)
        return {
            "location": self._location.name,
            "shard": self._shard.name,
            "codes": self._shard.count,
            "bytes": self._shard.index.size,
            "node": self._node,
            "reason": self._reason,
            "pid": os.getpid(),
            "calls": self._calls,
            "seconds": self._seconds,
            "calls_per_second": recent / _RECENT,
        }

    def _note(self, start: float, end: float) -> None:
        with self._counting:
            self._calls += 1
            self._seconds += end - start
            self._recent.append(end)

    def _opened(self) -> OpenShard:
        with self._lock:
            if self._open is None:
                try:
                    self._open = OpenShard(self._location, self._cache, self._shard, self._head)
                    self._reason = None
                except Exception as error:
                    self._reason = str(error)
                    raise
                # Damage that left no trace is looked for while it already answers.
                threading.Thread(target=self._verify, args=[self._open], daemon=True).start()
            return self._open

    def _verify(self, opened: OpenShard) -> None:
        """Read the file through; the next call opens it anew if it is damaged."""
        if not opened.is_whole(self._shard):
            with self._lock:
                self._open = None


def _failed(error: Exception) -> Any:
    """Return the message of an error, which may have parts that cannot be sent."""
    try:
        return packed((False, error))
    except Exception:
        return packed((False, UnavailableError(f"{type(error).__name__}: {error}", ())))
