"""As many replicas of each shard as are wanted: started, watched, and rebuilt elsewhere."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from ..cache import Cache
from ..location import Location
from ..manifest import Manifest, Shard, short_name
from .actor import CONCURRENCY, ShardActor
from .backing_off import BackOff, Trouble, delay
from .replica import Replica
from .starting import NAMESPACE

__all__ = ["Keeper"]

_LOG = logging.getLogger(__name__)
# Seconds.
_PERIOD = 0.5
_PING_PERIOD, _PING_TIMEOUT = 2.0, 10.0
_START_TIMEOUT = 120.0
# Until one that could not open its shard is told to try again: it may fetch it whole.
_AGAIN = 60.0
# One that has served so long was none that cannot be started.
_STEADY = 60.0
CPUS = 0.5


class Keeper:
    """The replicas of the shards of a manifest, and a thread that sees to them.

    Parameters
    ----------
    ray : module
    location : Location
    cache : Cache
        Whose folder and budget the actors have on their machines.
    manifest : Manifest
    wanted : int
        Replicas of each shard; never two on one node.
    """

    def __init__(
        self, ray: Any, location: Location, cache: Cache, manifest: Manifest, wanted: int
    ) -> None:
        self._ray, self._wanted = ray, wanted
        # What an actor has to know of the manifest: what its codes are.
        head = replace(manifest, shards=())
        self._given = (location.name, cache.folder, cache.budget)
        self._head = head
        self._actor = ray.remote(ShardActor)
        self._lock = threading.Lock()
        self._shards: dict[str, Shard] = {}
        self._replicas: dict[str, list[Replica]] = {}
        self._nodes: dict[str, _Node] = {}
        self._places = BackOff()
        self._blind: str | None = None
        self._woken, self._closed = threading.Event(), False
        self.follow(manifest)
        self._thread = threading.Thread(target=self._run, name="hashret-keeper", daemon=True)
        self._thread.start()

    def follow(self, manifest: Manifest) -> None:
        """Have replicas of the shards of a manifest; those of others go when nobody waits."""
        with self._lock:
            self._shards = {shard.index.name: shard for shard in manifest.shards}
        self._woken.set()

    def replicas(self, shard: str) -> list[Replica]:
        """Return those of a shard that may live, the one first that should be asked."""
        with self._lock:
            found = [each for each in self._replicas.get(shard, ()) if not each.lost]
        # Python's sort is stable: those that are alike take turns.
        turn = secrets.randbelow(len(found)) if len(found) > 1 else 0
        return sorted(found[turn:] + found[:turn], key=lambda each: each.rank)

    def all(self) -> list[Replica]:
        """Return all replicas that may live."""
        with self._lock:
            names = list(self._replicas)
        return [each for name in names for each in self.replicas(name)]

    def lose(self, replica: Replica, reason: str = "its process ended") -> None:
        """Note that a replica has ended; another is started, here not before some time."""
        with self._lock:
            if replica.lost:
                return
            replica.lost = True
            place = replica.shard, replica.node
            if replica.ready and time.monotonic() > replica.since + _STEADY:
                self._places.forget(place)
            told = self._places.fail(place, reason)
        _LOG.warning("%s: replica on node %s: %s; %s", *_shown(replica), reason, told)
        self._woken.set()

    @property
    def blind(self) -> str | None:
        """Why nothing is seen to, such as that the head is gone; None if it is."""
        return self._blind

    def troubles(self) -> list[Trouble]:
        """Return where replicas that are wanted do not start, or end, and why."""
        with self._lock:
            ready = Counter(
                name
                for name, some in self._replicas.items()
                for each in some
                if each.ready and not each.lost
            )
            found = self._places.all()
        return [one for one in found if ready[one.shard] < self._wanted and one.node in self._nodes]

    def lacking(self) -> list[str]:
        """Return the names of the shards for which no replica answers, if only with an error."""
        with self._lock:
            return [
                shard.name
                for name, shard in self._shards.items()
                if not any(each.answers and not each.lost for each in self._replicas.get(name, ()))
            ]

    def close(self) -> None:
        """End all actors."""
        self._closed = True
        self._woken.set()
        self._thread.join(timeout=2 * _PING_TIMEOUT)
        with self._lock:
            replicas = [each for some in self._replicas.values() for each in some]
            self._replicas.clear()
        self._end(replicas)

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        blind = 0
        while not self._closed:
            wait = _PERIOD
            try:
                self._look()
                self._blind, blind = None, 0
            except Exception as error:
                # Without its head a cluster tells nothing; who answers goes on answering.
                blind += 1
                wait = delay(blind)
                self._tell_blind(f"{type(error).__name__}: {error}")
            self._woken.wait(wait)
            self._woken.clear()

    def _tell_blind(self, reason: str) -> None:
        if reason != self._blind and not self._closed:
            _LOG.warning("replicas are not seen to: %s", reason)
        self._blind = reason

    def _look(self) -> None:
        self._nodes = {
            node["NodeID"]: _Node(int(node["Resources"].get("CPU", 0)), node["NodeManagerAddress"])
            for node in self._ray.nodes()
            if node["Alive"]
        }
        for replica in self.all():
            self._watch(replica)
        with self._lock:
            shards, gone = dict(self._shards), self._sorted_out()
            self._places.keep(shards)
        self._end(gone)
        for name, shard in shards.items():
            self._fill(name, shard)

    def _watch(self, replica: Replica) -> None:
        """Lose a replica whose node is gone, or that does not answer a ping in time."""
        if replica.node not in self._nodes:
            self.lose(replica, "its node is gone")
            return
        now = time.monotonic()
        if replica.ping is None:
            if not replica.answers or now > replica.pinged + _PING_PERIOD:
                replica.ping, replica.pinged = self._called(replica, now), now
            return
        done, _ = self._ray.wait([replica.ping], timeout=0)
        if not done:
            if replica.ready and now > replica.pinged + _PING_TIMEOUT:
                self.lose(replica, f"no answer to a ping within {_PING_TIMEOUT:g} s")
            elif not replica.ready and now > replica.pinged + _START_TIMEOUT:
                self.lose(replica, f"not started within {_START_TIMEOUT:g} s; {self._room()}")
            return
        try:
            told = self._ray.get(replica.ping, timeout=1)
            replica.answers, replica.ready = True, replica.ready or told.opened
            replica.believe(told.address)
        except self._ray.exceptions.RayError as error:
            self.lose(replica, (str(error).strip().splitlines() or [type(error).__name__])[0])
        replica.ping = None

    def _called(self, replica: Replica, now: float) -> Any:
        """Have a replica open its shard, until it is open; otherwise ask whether it lives."""
        opens = not (replica.ready or (replica.answers and now < replica.tried + _AGAIN))
        if opens:
            replica.tried = now
        return replica.handle.ping.remote(self._threads(replica.node), opens)

    def _threads(self, node: str) -> int:
        """Return of how many threads a call may be: actors of one node answer at once."""
        with self._lock:
            beside = sum(each.node == node for some in self._replicas.values() for each in some)
        return max(1, self._nodes[node].cores // max(1, beside))

    def _room(self) -> str:
        free, all = (
            each().get("CPU", 0.0)
            for each in (self._ray.available_resources, self._ray.cluster_resources)
        )
        return f"it needs {CPUS:g} CPUs, and of the cluster's {all:g} there are {free:g} free"

    def _sorted_out(self) -> list[Replica]:
        """Take out those that have ended, or that serve what is no longer wanted."""
        gone = []
        for name, replicas in list(self._replicas.items()):
            over = [
                each
                for each in replicas
                if each.lost or (name not in self._shards and not each.waiting)
            ]
            gone += over
            self._replicas[name] = [each for each in replicas if each not in over]
            if not self._replicas[name]:
                del self._replicas[name]
        return gone

    def _fill(self, name: str, shard: Shard) -> None:
        with self._lock:
            used = {each.node for each in self._replicas.get(name, ())}
            load = Counter(each.node for some in self._replicas.values() for each in some)
        for node in sorted(self._nodes.keys() - used, key=lambda node: (load[node], node)):
            if len(used) >= self._wanted or self._closed:
                return
            if not self._places.is_open((name, node)):
                continue
            replica = self._started(name, shard, node)
            used.add(node)
            with self._lock:
                self._replicas.setdefault(name, []).append(replica)

    def _started(self, name: str, shard: Shard, node: str) -> Replica:
        # Whoever knows it may call this actor without Ray.
        key = secrets.token_bytes(32)
        affinity = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        handle = self._actor.options(
            name=f"{shard.name}-{secrets.token_hex(4)}",
            namespace=NAMESPACE,
            num_cpus=CPUS,
            max_concurrency=CONCURRENCY,
            max_restarts=0,
            scheduling_strategy=affinity(node, soft=False),
        ).remote(*self._given, shard, self._head, node, self._nodes[node].address, key)
        return Replica(name, node, handle, key)

    def _end(self, replicas: Iterable[Replica]) -> None:
        for replica in replicas:
            replica.lost = True
            replica.disconnect()
            with suppress(Exception):
                self._ray.kill(replica.handle)


class _Node(NamedTuple):
    """A node that lives: how many cores it has, and where other machines find it."""

    cores: int
    address: str


def _shown(replica: Replica) -> tuple[str, str]:
    return short_name(replica.shard), replica.node[:8]
