"""Where replicas do not start, why, and when it is tried again."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import NamedTuple

__all__ = ["BackOff", "Trouble", "delay"]

# Seconds until it is tried again: after the first failure, and at most.
_FIRST, _MOST = 1.0, 60.0
Place = tuple[str, str]


class Trouble(NamedTuple):
    """A shard of which a replica failed on a node.

    Attributes
    ----------
    shard, node : str
    reason : str
        Of the last time.
    failures : int
        In a row.
    due : float
        When it may be tried again, by :func:`time.monotonic`.
    """

    shard: str
    node: str
    reason: str
    failures: int
    due: float

    def __str__(self) -> str:
        """Return the reason, how often, and when it is tried again."""
        wait = max(0.0, self.due - time.monotonic())
        return f"{self.reason} ({self.failures} in a row; again after {wait:.0f} s)"


def delay(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row: twice as long each time.

    Examples
    --------
    >>> [delay(n) for n in (1, 2, 3, 7, 1000)]
    [1.0, 2.0, 4.0, 60.0, 60.0]
    """
    return float(min(_MOST, _FIRST * 2 ** min(failures - 1, 30)))


class BackOff:
    """Notes failures by shard and node."""

    def __init__(self) -> None:
        self._known: dict[Place, Trouble] = {}

    def fail(self, place: Place, reason: str) -> str:
        """Note a failure; return a word on when it is tried again."""
        before = self._known.get(place)
        failures = before.failures + 1 if before else 1
        wait = delay(failures)
        self._known[place] = Trouble(*place, reason, failures, time.monotonic() + wait)
        return f"there again after {wait:g} s"

    def forget(self, place: Place) -> None:
        """Take what happens next for the first failure."""
        self._known.pop(place, None)

    def keep(self, shards: Collection[str]) -> None:
        """Forget what is of other shards."""
        self._known = {place: one for place, one in self._known.items() if place[0] in shards}

    def is_open(self, place: Place) -> bool:
        """Whether it may be tried."""
        trouble = self._known.get(place)
        return trouble is None or time.monotonic() >= trouble.due

    def all(self) -> list[Trouble]:
        """Return what failed last at each place."""
        return list(self._known.values())
