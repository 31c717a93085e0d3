"""A call to whichever replica answers first."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from functools import partial
from typing import Any

import numpy as np

from ...errors import FormatError, UnavailableError
from ..fleet import Call
from .keeping import Keeper
from .replica import Replica

__all__ = ["Asker"]

# A second replica is asked when the first takes longer than 95 % of such calls did: a twentieth
# more work, for a tail that is that of two slow ones at once ("The Tail at Scale", 2013).
_QUANTILE = 0.95
_LEAST, _MOST, _UNKNOWN = 0.02, 2.0, 0.5
_KNOWN, _KEPT = 20, 500
# How long that is is found out after so many calls, not for each.
_RENEWED = 20
# What takes seconds is not done twice.
_HEDGED = frozenset({"search", "range_search", "has", "get"})
_POLL = 0.05


class Asker:
    """Asks replicas; its coroutines run on one event loop.

    Parameters
    ----------
    keeper : Keeper
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._took: defaultdict[tuple[str, int], _Times] = defaultdict(_Times)
        self.hedged = 0

    async def ask(self, call: Call, timeout: float) -> Any:
        """Return the answer of a replica, or an exception: what all say, or that none does."""
        question = _Question(self, self._keeper, call, timeout)
        try:
            return await question.answer()
        finally:
            question.forget()

    def patience(self, call: Call) -> float:
        """Return after how many seconds another replica is asked, too."""
        if call.method not in _HEDGED:
            return float("inf")
        return self._took[_kind(call)].patience

    def note(self, call: Call, seconds: float) -> None:
        """Note how long a call took."""
        self._took[_kind(call)].note(seconds)


class _Times:
    """How long calls of a kind took, and after how many seconds another replica is asked."""

    def __init__(self) -> None:
        self.patience = _UNKNOWN
        self._last: deque[float] = deque(maxlen=_KEPT)
        self._new = 0

    def note(self, seconds: float) -> None:
        self._last.append(seconds)
        self._new += 1
        if self._new >= _RENEWED and len(self._last) >= _KNOWN:
            self._new = 0
            self.patience = float(np.clip(np.quantile(self._last, _QUANTILE), _LEAST, _MOST))


class _Question:
    """One call, and the replicas that it waits for."""

    def __init__(self, asker: Asker, keeper: Keeper, call: Call, timeout: float) -> None:
        self._asker, self._keeper, self._call = asker, keeper, call
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._asked: set[Replica] = set()
        self._waiting: dict[asyncio.Future[Any], tuple[Replica, float]] = {}
        self._error: Exception | None = None

    async def answer(self) -> Any:
        patience = self._asker.patience(self._call)
        due = 0.0
        while (now := time.monotonic()) < self._deadline:
            if (not self._waiting or now >= due) and (replica := self._next()) is not None:
                self._asker.hedged += bool(self._waiting)
                self._start(replica, now)
                due = now + patience
            elif not self._waiting and self._error is not None:
                return self._error
            elif self._waiting and now >= due:
                due = now + _POLL
            if not self._waiting:
                # Until the keeper has started one.
                await asyncio.sleep(_POLL)
                continue
            least = min(due, self._deadline) - now
            done, _ = await asyncio.wait(
                self._waiting, timeout=max(least, 0), return_when=asyncio.FIRST_COMPLETED
            )
            for each in done:
                found, answer = self._taken(each)
                if found:
                    return answer
        return self._error or UnavailableError(
            f"no answer within {self._timeout:g} s", (self._call.shard.name,)
        )

    def forget(self) -> None:
        """Leave those that still wait to themselves."""
        for future, (replica, _) in self._waiting.items():
            future.add_done_callback(partial(_ended, replica))

    def _next(self) -> Replica | None:
        replicas = self._keeper.replicas(self._call.shard.index.name)
        return next((each for each in replicas if each not in self._asked), None)

    def _start(self, replica: Replica, now: float) -> None:
        self._asked.add(replica)
        call = self._call
        reference = replica.handle.call.remote(call.method, call.shard, call.arguments)
        replica.waiting += 1
        self._waiting[asyncio.wrap_future(reference.future())] = replica, now

    def _taken(self, future: asyncio.Future[Any]) -> tuple[bool, Any]:
        """Return whether a replica has answered, and what; else note why not."""
        replica, since = self._waiting.pop(future)
        replica.waiting -= 1
        try:
            good, answer = future.result()
        except Exception as error:
            # Ray's: the actor, its node or the way to it is gone.
            if _is_death(error):
                self._keeper.lose(replica)
            return False, None
        if good:
            replica.answers = replica.ready = True
            self._asker.note(self._call, time.monotonic() - since)
            return True, answer
        if isinstance(answer, (FormatError, OSError)):
            # The shard cannot be opened there; it may be elsewhere.
            self._error = answer
            return False, None
        return True, answer


def _is_death(error: Exception) -> bool:
    return type(error).__name__ in ("ActorDiedError", "ActorUnschedulableError", "RayActorError")


def _ended(replica: Replica, future: asyncio.Future[Any]) -> None:
    replica.waiting -= 1
    if not future.cancelled():
        # Seen, so that asyncio does not tell of it.
        future.exception()


def _kind(call: Call) -> tuple[str, int]:
    first = call.arguments[0] if call.arguments else ()
    return call.method, len(first).bit_length() if hasattr(first, "__len__") else 0
