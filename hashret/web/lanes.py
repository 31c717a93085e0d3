"""Bounded work: who comes when all is full is told to come again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio
import anyio.to_thread

from ..errors import HashretError

__all__ = ["Busy", "Lane", "Room"]

T = TypeVar("T")


class Busy(HashretError):
    """There is no room for more work now."""


class Room:
    """Counts what is under way, of one event loop.

    Parameters
    ----------
    most : int
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.inside = 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Be under way for as long as the block takes.

        Raises
        ------
        Busy
            If there is no room.
        """
        if self.inside >= self._most:
            raise Busy("too many requests at a time")
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


class Lane:
    """Threads for one kind of work, and how much of it may wait.

    Parameters
    ----------
    workers : int
        Pieces of work that are done at a time.
    waiting : int
        Pieces that may wait beside them.
    """

    def __init__(self, workers: int, waiting: int) -> None:
        self._limiter = anyio.CapacityLimiter(workers)
        self._room = Room(workers + waiting)

    async def run(self, work: Callable[[], T]) -> T:
        """Return what work gives in a thread.

        Raises
        ------
        Busy
            If too much is waiting.
        """
        with self._room.enter():
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
