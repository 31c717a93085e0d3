"""A call to whichever replica answers first."""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...errors import FormatError, UnavailableError
from ..fleet import Call
from .keeping import Keeper
from .line import Exchange, LineError
from .messages import packed, unpacked
from .replica import RayReply, Replica

__all__ = ["Asker", "Question"]

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
# Where there is a choice, of the kinds that need no descriptor.
_Selector = getattr(selectors, "PollSelector", selectors.DefaultSelector)


class Asker:
    """Asks replicas, for any number of threads.

    Parameters
    ----------
    keeper : Keeper
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._took: defaultdict[tuple[str, int], _Times] = defaultdict(_Times)
        self._lock = threading.Lock()
        self.hedged = 0

    def questions(self, calls: Sequence[Call], timeout: float) -> list[Question]:
        """Return a question for each call; nobody has been asked yet."""
        return [Question(self, self._keeper, call, timeout) for call in calls]

    def answered(self, questions: Sequence[Question]) -> bool:
        """Ask a replica each, and wait in this thread; whether all answer.

        :meth:`Question.answer` goes on with those that fail or are late. The usual question so
        wakes no other thread of this process. What may take long, or goes by Ray, is left to that
        altogether.
        """
        if not all(each.is_short for each in questions):
            return False
        try:
            for each in questions:
                each.begin()
            if all(each.exchange is not None for each in questions):
                self._take_soon(questions)
        except BaseException:
            for each in questions:
                each.forget()
            raise
        return all(each.is_answered for each in questions)

    def _take_soon(self, questions: Sequence[Question]) -> None:
        """Take the answers that come before another replica would be asked."""
        due = time.monotonic() + min((each.patience for each in questions), default=0.0)
        with _Selector() as selector:
            for each in questions:
                if each.exchange is not None:
                    selector.register(each.exchange.fileno(), selectors.EVENT_READ, each)
            while selector.get_map():
                come = selector.select(max(due - time.monotonic(), 0))
                if not come:
                    return
                for key, _ in come:
                    if key.data.take_soon():
                        selector.unregister(key.fd)

    def patience(self, call: Call) -> float:
        """Return after how many seconds another replica is asked, too."""
        if call.method not in _HEDGED:
            return float("inf")
        with self._lock:
            return self._took[_kind(call)].patience

    def note(self, call: Call, seconds: float) -> None:
        """Note how long a call took."""
        with self._lock:
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


class _Asked(NamedTuple):
    replica: Replica
    reply: Exchange | RayReply
    since: float


class Question:
    """One call, and the replicas that it waits for.

    Attributes
    ----------
    patience : float
        Seconds after which another replica is asked, too.
    found : object
        The answer, or an exception: what all say, or that none does.
    is_answered : bool
        Whether `found` is what a replica said of an open shard.
    is_short : bool
        Whether another replica may be asked meanwhile.
    """

    def __init__(self, asker: Asker, keeper: Keeper, call: Call, timeout: float) -> None:
        self._asker, self._keeper, self._call = asker, keeper, call
        self.patience = min(asker.patience(call), timeout)
        self.found: Any = UnavailableError(f"no answer within {timeout:g} s", (call.shard.name,))
        self.is_answered = self._is_refused = False
        self.is_short = call.method in _HEDGED
        self._deadline = time.monotonic() + timeout
        self._asked: set[Replica] = set()
        # Those that have not answered: awaited by nobody, and by the event loop.
        self._begun: list[_Asked] = []
        self._waiting: dict[asyncio.Future[Any], _Asked] = {}

    def begin(self) -> bool:
        """Ask the replica that is next; whether there is one."""
        replicas = self._keeper.replicas(self._call.shard.index.name)
        replica = next((each for each in replicas if each not in self._asked), None)
        if replica is None:
            return False
        call, now = self._call, time.monotonic()
        self._asked.add(replica)
        replica.begin()
        try:
            reply = replica.ask(packed((call.method, call.shard, call.arguments)))
        except BaseException:
            replica.end()
            raise
        self._begun.append(_Asked(replica, reply, now))
        return True

    @property
    def exchange(self) -> Exchange | None:
        """With the replica that was asked, if it goes by a connection of our own."""
        reply = self._begun[-1].reply if self._begun else None
        return reply if isinstance(reply, Exchange) else None

    def take_soon(self) -> bool:
        """Read what has come of the :attr:`exchange`; whether that is all that will."""
        asked, exchange = self._begun[-1], self.exchange
        assert exchange is not None
        try:
            message = exchange.read()
        except LineError as error:
            self._begun.pop()
            self._fail(asked, error)
            return True
        if message is not None:
            self._begun.pop()
            self._take(asked, message)
        return message is not None

    async def answer(self) -> Any:
        """Wait for a replica that answers; return what is found."""
        try:
            await self._wait()
        finally:
            self.forget()
        return self.found

    def forget(self) -> None:
        """Leave those that have not answered to themselves."""
        for asked in self._begun:
            asked.reply.forget(asked.replica.end)
        self._begun.clear()
        for future, asked in self._waiting.items():
            future.add_done_callback(partial(_ended, asked.replica))
            if not self.is_answered and time.monotonic() >= self._deadline:
                # What says nothing may be the connection, and not the actor.
                _doubt(asked)
        self._waiting.clear()

    async def _wait(self) -> None:
        due = self._taken_over()
        while not self.is_answered and (now := time.monotonic()) < self._deadline:
            is_more = bool(self._waiting)
            if (not is_more or now >= due) and self.begin():
                self._asker.hedged += is_more
                due = self._taken_over()
            elif is_more and now >= due:
                due = now + _POLL
            elif not is_more and self._is_refused:
                return
            if not self._waiting:
                # Until the keeper has started one.
                await asyncio.sleep(_POLL)
                continue
            least = min(due, self._deadline) - now
            done, _ = await asyncio.wait(
                self._waiting, timeout=max(least, 0), return_when=asyncio.FIRST_COMPLETED
            )
            for future in done:
                self._told(future)
        for future in [each for each in self._waiting if each.done()]:
            # The loop was held up until it was too late.
            self._told(future)

    def _taken_over(self) -> float:
        """Have the event loop wait for those that were asked; return when it is time for more."""
        due = 0.0
        while self._begun:
            asked = self._begun.pop()
            self._waiting[asked.reply.future()] = asked
            due = asked.since + self.patience
        return due

    def _told(self, future: asyncio.Future[Any]) -> None:
        asked = self._waiting.pop(future)
        try:
            message = future.result()
        except Exception as error:
            self._fail(asked, error)
            return
        self._take(asked, message)

    def _fail(self, asked: _Asked, error: Exception) -> None:
        """Note that the actor, its node or the way to it is gone."""
        asked.replica.end()
        if isinstance(error, LineError):
            # Ray knows whether it lives, and is asked where no other replica is left.
            _doubt(asked)
            self._asked.discard(asked.replica)
        elif _is_death(error):
            self._keeper.lose(asked.replica)

    def _take(self, asked: _Asked, message: Any) -> None:
        asked.replica.end()
        try:
            good, answer = unpacked(message)
        except Exception as error:
            good, answer = False, UnavailableError(f"an answer cannot be read: {error}", ())
        if good:
            asked.replica.answers = asked.replica.ready = True
            asked.replica.doubted = False
            self._asker.note(self._call, time.monotonic() - asked.since)
        if not self.is_answered:
            # A shard that cannot be opened there may be elsewhere.
            self._is_refused = not good and isinstance(answer, (FormatError, OSError))
            self.is_answered, self.found = not self._is_refused, answer


def _doubt(asked: _Asked) -> None:
    if isinstance(asked.reply, Exchange):
        asked.replica.doubt(asked.reply.line)


def _is_death(error: Exception) -> bool:
    return type(error).__name__ in ("ActorDiedError", "ActorUnschedulableError", "RayActorError")


def _ended(replica: Replica, future: asyncio.Future[Any]) -> None:
    replica.end()
    if not future.cancelled():
        # Seen, so that asyncio does not tell of it.
        future.exception()


def _kind(call: Call) -> tuple[str, int]:
    first = call.arguments[0] if call.arguments else ()
    return call.method, len(first).bit_length() if hasattr(first, "__len__") else 0
