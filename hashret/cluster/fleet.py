"""Who answers for shards: here, those that this process has mapped."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from .cache import Cache
from .location import Location
from .manifest import Manifest, Shard
from .shard import OpenShard

__all__ = ["Call", "Fleet", "LocalFleet"]


class Call(NamedTuple):
    """A question to a shard: a method of :class:`.OpenShard`, and what follows the shard."""

    shard: Shard
    method: str
    arguments: tuple[Any, ...] = ()


class Fleet(ABC):
    """Whoever answers for the shards of manifests."""

    @abstractmethod
    def follow(self, manifest: Manifest) -> None:
        """Be ready for the shards of a manifest; those of no manifest that is read may go."""

    @abstractmethod
    def ask(self, calls: Sequence[Call], timeout: float) -> list[Any]:
        """Return an answer for each call: what the method returns, or an exception."""

    @abstractmethod
    async def ask_async(self, calls: Sequence[Call], timeout: float) -> list[Any]:
        """As :meth:`ask`, without holding up the caller's event loop."""

    @abstractmethod
    def status(self) -> list[dict[str, Any]]:
        """Return of each copy of a shard where it is and what it did."""

    @abstractmethod
    def close(self) -> None:
        """End whatever answers; a second time does nothing."""


class LocalFleet(Fleet):
    """This process: shards are mapped when they are first asked."""

    def __init__(self, location: Location, cache: Cache, manifest: Manifest) -> None:
        self._location, self._cache, self._manifest = location, cache, manifest
        self._open: dict[str, OpenShard] = {}
        self._lock = threading.Lock()

    def follow(self, manifest: Manifest) -> None:
        with self._lock:
            self._manifest = manifest
            wanted = {shard.index.name for shard in manifest.shards}
            for name in self._open.keys() - wanted:
                # A search that runs has its own reference, and so the mapping.
                self._open.pop(name).close()

    def ask(self, calls: Sequence[Call], timeout: float) -> list[Any]:
        return [self._answer(call) for call in calls]

    async def ask_async(self, calls: Sequence[Call], timeout: float) -> list[Any]:
        return await asyncio.to_thread(self.ask, calls, timeout)

    def status(self) -> list[dict[str, Any]]:
        with self._lock:
            opened, shards = set(self._open), self._manifest.shards
        return [
            {"shard": shard.name, "node": "here", "ready": shard.index.name in opened}
            for shard in shards
        ]

    def close(self) -> None:
        with self._lock:
            for shard in self._open.values():
                shard.close()
            self._open.clear()

    def _answer(self, call: Call) -> Any:
        try:
            return getattr(self._shard(call.shard), call.method)(call.shard, *call.arguments)
        except Exception as error:
            return error

    def _shard(self, shard: Shard) -> OpenShard:
        with self._lock:
            if shard.index.name not in self._open:
                self._open[shard.index.name] = OpenShard(
                    self._location, self._cache, shard, self._manifest
                )
            return self._open[shard.index.name]
