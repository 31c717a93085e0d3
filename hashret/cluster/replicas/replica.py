"""An actor as its client sees it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Replica"]


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
    answers : bool
        Whether its process has answered yet.
    ready : bool
        Whether its shard is open; one that cannot open it tells those who ask why.
    lost : bool
        Whether it is known to have ended.
    waiting : int
        Calls that it has not answered.
    """

    shard: str
    node: str
    handle: Any
    answers: bool = False
    ready: bool = False
    lost: bool = False
    waiting: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    since: float = field(default_factory=time.monotonic)
    # The call that tells whether it lives, and when one last asked it to open its shard.
    ping: Any = None
    tried: float = 0.0
    pinged: float = 0.0

    def begin(self) -> None:
        """Note a call that it has to answer."""
        with self._lock:
            self.waiting += 1

    def end(self) -> None:
        """Note that it has answered one, or never will."""
        with self._lock:
            self.waiting -= 1

    @property
    def rank(self) -> tuple[bool, int]:
        """The less, the sooner it will answer: one that hangs has ever more that wait."""
        return not self.ready, self.waiting
