"""A fleet of actors on a Ray cluster."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from ...errors import UnavailableError
from ..cache import Cache
from ..fleet import Call, Fleet
from ..location import Location
from ..manifest import Manifest, short_name
from .asking import Asker, Question
from .keeping import CPUS, Keeper
from .starting import NAMESPACE, connect

__all__ = ["RayFleet", "served"]

# Seconds to start the first actors, and to tell what they do.
_START, _TELL = 120.0, 5.0
_CLOSED = "the index was closed"


class RayFleet(Fleet):
    """Actors of a Ray cluster, `replicas` for each shard.

    Raises
    ------
    UnavailableError
        If shards have no replica that starts; names them.
    """

    def __init__(self, location: Location, cache: Cache, manifest: Manifest, replicas: int) -> None:
        self._ray = connect()
        self._keeper = Keeper(self._ray, location, cache, manifest, replicas)
        self._asker = Asker(self._keeper)
        self._lock, self._is_closed = threading.Lock(), False
        # Of all kinds the one that waits for sockets of ours on every system.
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="hashret-fleet", daemon=True
        )
        self._thread.start()
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def follow(self, manifest: Manifest) -> None:
        self._keeper.follow(manifest)

    def ask(self, calls: Sequence[Call], timeout: float) -> list[Any]:
        questions = self._asker.questions(calls, timeout)
        if self._asker.answered(questions):
            return [each.found for each in questions]
        return self._submit(questions).result()

    async def ask_async(self, calls: Sequence[Call], timeout: float) -> list[Any]:
        questions = self._asker.questions(calls, timeout)
        return await asyncio.wrap_future(self._submit(questions))

    def status(self) -> list[dict[str, Any]]:
        replicas, blind = self._keeper.all(), self._keeper.blind
        told = _answers(self._ray, [each.handle.status.remote() for each in replicas])
        rows = [
            {
                "shard": short_name(each.shard),
                "node": each.node,
                "ready": each.ready,
                "waiting": each.waiting,
                "reason": None if each.ready else "starts, or waits for room",
                **(one or {}),
            }
            for each, one in zip(replicas, told, strict=True)
        ]
        rows += [
            {
                "shard": short_name(one.shard),
                "node": one.node,
                "ready": False,
                "waiting": 0,
                "reason": str(one),
            }
            for one in self._keeper.troubles()
        ]
        # Then nothing that is lost is replaced.
        return [row | {"reason": blind} if blind else row for row in rows]

    def close(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        asyncio.run_coroutine_threadsafe(_end_others(), self._loop).result()
        self._keeper.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _submit(self, questions: Sequence[Question]) -> Future[list[Any]]:
        with self._lock:
            if not self._is_closed:
                return asyncio.run_coroutine_threadsafe(_all(questions), self._loop)
        for each in questions:
            each.forget()
        raise UnavailableError(_CLOSED, ())

    def _wait(self) -> None:
        end = time.monotonic() + _START
        while lacking := self._keeper.lacking():
            if time.monotonic() > end:
                raise UnavailableError(
                    f"no replica of {len(lacking)} shards starts within {_START:g} s: "
                    f"{', '.join(lacking[:5])} ({self._why()})",
                    tuple(lacking),
                )
            time.sleep(0.02)

    def _why(self) -> str:
        """Return a reason why replicas do not start."""
        told = [self._keeper.blind, *(one.reason for one in self._keeper.troubles())]
        return next(filter(None, told), f"is there room on the cluster, {CPUS:g} CPUs for each?")


async def _all(questions: Sequence[Question]) -> list[Any]:
    try:
        return await asyncio.gather(*(each.answer() for each in questions))
    except asyncio.CancelledError:
        # Whoever cancelled a search of its own does not look at this.
        return [UnavailableError(_CLOSED, ()) for _ in questions]


async def _end_others() -> None:
    """Cancel all that the event loop still does, and wait for its end."""
    # What was begun just now has its first turn, so that it notes what it was told to.
    await asyncio.sleep(0)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def served(address: str | None = None) -> list[dict[str, Any]]:
    """Return what all actors of a cluster serve: location, shard, bytes, calls a second.

    Of one that does not answer, which shard it is of, and a ``reason``.

    Parameters
    ----------
    address : str, optional
        As for :func:`.connect`.
    """
    ray = connect(address)
    named = ray.util.list_named_actors(all_namespaces=True)
    handles = {}
    for each in named:
        if each["namespace"] == NAMESPACE:
            # Ended since.
            with suppress(ValueError):
                handles[each["name"]] = ray.get_actor(each["name"], namespace=NAMESPACE)
    told = _answers(ray, [each.status.remote() for each in handles.values()])
    return [one or _silent(name) for name, one in zip(handles, told, strict=True)]


def _silent(name: str) -> dict[str, Any]:
    reason = f"no answer within {_TELL:g} s: it waits for room, starts, hangs, or has ended"
    return {"location": "", "shard": name.rpartition("-")[0], "node": "", "reason": reason}


def _answers(ray: Any, references: list[Any]) -> list[Any]:
    """Return the answers that come in time, None for the others."""
    if not references:
        return []
    done, _ = ray.wait(references, num_returns=len(references), timeout=_TELL)
    found = []
    for reference in references:
        try:
            found.append(ray.get(reference, timeout=1) if reference in done else None)
        except ray.exceptions.RayError:
            found.append(None)
    return found
