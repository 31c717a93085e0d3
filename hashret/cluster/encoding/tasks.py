"""Units as tasks of Ray: given out, timed by us, given out again, and in the end given up."""

from __future__ import annotations

import json
import logging
import os
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...errors import HashretError
from ..location import Location, open_location
from ..manifest import Shard
from ..replicas import connect
from .bounds import Bounds, end_tree, watched
from .plan import Unit
from .unit import Work, encode_unit, write_failed

__all__ = ["Tasks"]

_LOG = logging.getLogger(__name__)
# Seconds between two looks at what runs.
_OFTEN, _SELDOM = 0.1, 10.0
# Within which a task begins for which there is room: Ray's own processes and ours to import.
_START = 120.0


@dataclass
class _Attempt:
    """A task.

    Attributes
    ----------
    note : str
        Where it says which process it is, when it begins, and why it ends that.
    since : float
        When it was given out, and from `begun` on, when it was first seen to have begun.
    """

    unit: Unit
    note: str
    since: float
    begun: bool = False


class Tasks:
    """Gives out units, as many at a time as the cluster has room for, and some ahead.

    What ends a task, its process, its node, its time or its memory, costs one of its attempts.
    Ray does none of that: its own retries do not know why, and a task that hangs it never ends.
    """

    def __init__(self, work: Work, bounds: Bounds) -> None:
        self._work, self._bounds = work, bounds
        self._ray = connect()
        # Once, not with each task: the file of an encoder has megabytes.
        self._given = self._ray.put(work)
        self._task = self._ray.remote(encode_bounded).options(
            num_cpus=work.workers, max_retries=0, scheduling_strategy="SPREAD"
        )
        self._location = open_location(work.place)
        self._waiting: dict[Any, _Attempt] = {}
        self._tries: Counter[str] = Counter()

    def run(self, units: Sequence[Unit]) -> Iterator[tuple[str, Shard]]:
        """Yield the receipts of units, in any order, and their shards: of some, of failures alone.

        Raises
        ------
        HashretError
            What the work itself raises: again it would do the same.
        """
        queue = list(reversed(units))
        period = min(_SELDOM, max(_OFTEN, self._bounds.seconds_of(0) / 10))
        looked = time.monotonic()
        try:
            while queue or self._waiting:
                most = max(2, int(2 * self._ray.cluster_resources().get("CPU", 1)))
                while queue and len(self._waiting) < most:
                    self._give(queue.pop())
                ended = self._done(period)
                if time.monotonic() > looked + period:
                    looked = time.monotonic()
                    ended += self._late(looked)
                for unit, found in ended:
                    if isinstance(found, Shard):
                        yield unit.receipt, found
                    elif self._tries[unit.receipt] < self._bounds.attempts:
                        queue.append(unit)
                    else:
                        yield unit.receipt, self._given_up(unit, found)
        finally:
            for reference in self._waiting:
                self._ray.cancel(reference, force=True)

    def _give(self, unit: Unit) -> None:
        self._tries[unit.receipt] += 1
        # Never one that a command which was interrupted has left.
        note = f"{unit.receipt}.{secrets.token_hex(8)}"
        reference = self._task.remote(unit, note, self._given, self._bounds)
        self._waiting[reference] = _Attempt(unit, note, time.monotonic())

    def _done(self, seconds: float) -> list[tuple[Unit, Shard | str]]:
        """Return units that are done, or the reasons why they are not."""
        errors = self._ray.exceptions
        ready, _ = self._ray.wait(list(self._waiting), timeout=seconds)
        found: list[tuple[Unit, Shard | str]] = []
        for reference in ready:
            attempt = self._waiting.pop(reference)
            try:
                found.append((attempt.unit, self._ray.get(reference)))
                self._forget(attempt)
            except errors.RayTaskError as error:
                raise error.cause if isinstance(error.cause, HashretError) else error from None
            except errors.RayError as error:
                told = _read(self._location, attempt.note).get("reason")
                found.append(self._failed(attempt, told or _first_line(error)))
        return found

    def _late(self, now: float) -> list[tuple[Unit, Shard | str]]:
        """End the tasks whose time is over; return their units, and that."""
        found: list[tuple[Unit, Shard | str]] = []
        for reference, attempt in list(self._waiting.items()):
            seconds = self._bounds.seconds_of(len(attempt.unit.files))
            note = _read(self._location, attempt.note) if not attempt.begun else {}
            if note:
                attempt.begun, attempt.since = True, now
            if not attempt.begun:
                seconds = max(seconds, _START)
            if now < attempt.since + seconds:
                continue
            if not attempt.begun and not self._has_room():
                # It has only waited for the others.
                attempt.since = now
                continue
            del self._waiting[reference]
            self._end(reference, attempt)
            what = "not done" if attempt.begun else "not begun"
            found.append(self._failed(attempt, f"{what} within {seconds:g} s"))
        return found

    def _has_room(self) -> bool:
        return float(self._ray.available_resources().get("CPU", 0)) >= self._work.workers

    def _end(self, reference: Any, attempt: _Attempt) -> None:
        """End a task. Ray asks its process to end, which one that hangs does not hear."""
        self._ray.cancel(reference, force=True)
        note = _read(self._location, attempt.note)
        if note:
            affinity = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
            strategy = affinity(note["node"], soft=False)
            ending = self._ray.remote(end_task).options(
                num_cpus=0, max_retries=0, scheduling_strategy=strategy
            )
            ending.remote(note["pid"])

    def _failed(self, attempt: _Attempt, reason: str) -> tuple[Unit, str]:
        unit = attempt.unit
        tries = self._tries[unit.receipt]
        _LOG.warning("%s: attempt %d of %d: %s", unit.name, tries, self._bounds.attempts, reason)
        self._forget(attempt)
        return unit, reason

    def _given_up(self, unit: Unit, reason: str) -> Shard:
        told = f"{unit.name} was given up after {self._bounds.attempts} attempts, the last {reason}"
        return write_failed(self._work, unit, told)

    def _forget(self, attempt: _Attempt) -> None:
        with suppress(OSError):
            self._location.remove(attempt.note)


def encode_bounded(unit: Unit, note: str, work: Work, bounds: Bounds) -> Shard:
    """Do a unit, in a task: say who does it, and end before it takes too much memory."""
    import ray

    location = open_location(work.place)
    told = {"node": ray.get_runtime_context().get_node_id(), "pid": os.getpid()}

    def tell(reason: str | None) -> None:
        location.write(note, json.dumps({**told, "reason": reason}).encode())

    tell(None)
    with watched(bounds.memory_of(work.limits, work.workers), tell):
        return encode_unit(unit, work)


def end_task(pid: int) -> None:
    """End the process of a task on this node, and those below it."""
    with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        # Another may have its number by now.
        if b"encode_bounded" in file.read():
            end_tree(pid)


def _read(location: Location, note: str) -> dict[str, Any]:
    """Return what a task has noted; nothing of one that has not begun."""
    try:
        with location.read(note) as file:
            values: dict[str, Any] = json.load(file)
        return values
    except (OSError, ValueError):
        return {}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
