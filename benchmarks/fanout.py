"""What a query takes that asks many shards at once: a seeded simulation, event by event.

A query asks one replica of every shard, and is answered when the last shard is. A replica works on
some queries at a time, the others wait in the order in which they came. Work is the same on every
replica of a shard, unless told otherwise; a *pause* comes on top of it, to some tries and not to
others: whatever else a machine does. Where a shard has not answered after some time, the same is
asked of another of its replicas (a *hedged* request: Dean and Barroso, The tail at scale, 2013);
the first answer counts, a try that still waits in a queue then is dropped, one that runs goes on.
The front end, the network and the merging of answers take no time here.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["Cluster", "Outcome", "simulate"]

Seconds = npt.NDArray[np.float64]
ASK, LATE, DONE = range(3)


@dataclass(frozen=True)
class Cluster:
    """Who answers, and when another is asked.

    Attributes
    ----------
    shards, replicas : int
    at_once : int
        Queries that a replica works on at a time.
    hedge : float, optional
        Seconds until another replica is asked; never if None.
    pauses : float
        Share of the tries that are held up.
    pause : float
        Mean seconds of a pause, which are distributed exponentially.
    same_work : bool
        Whether a query is the same work for all replicas of a shard: otherwise each try draws its
        own, as where the seconds that were seen differ for other reasons than the query.
    """

    shards: int
    replicas: int = 1
    at_once: int = 1
    hedge: float | None = None
    pauses: float = 0.0
    pause: float = 0.0
    same_work: bool = True


@dataclass(frozen=True)
class Outcome:
    """Seconds of each query, and how many tries a shard needed for it, in the mean."""

    latencies: Seconds
    tries: float

    def quantile(self, share: float) -> float:
        """Return the seconds within which so large a share of the queries was answered."""
        return float(np.quantile(self.latencies, share))


def simulate(cluster: Cluster, work: Seconds, rate: float, queries: int, seed: int) -> Outcome:
    """Let queries come at random, and answer them.

    Parameters
    ----------
    cluster : Cluster
    work : ndarray of float64, shape (n,)
        Seconds that a shard was seen to need for a query: each shard draws of these.
    rate : float
        Queries a second; they come independently of each other (a Poisson process).
    queries : int
        How many are told; a tenth more come before them, until the queues are as they stay.
    seed : int

    Returns
    -------
    outcome : Outcome
    """
    rng = np.random.default_rng(seed)
    early = queries // 10
    arrivals = np.cumsum(rng.exponential(1 / rate, early + queries))
    last = np.zeros(len(arrivals))
    tries = 0
    for _ in range(cluster.shards):
        shard = _Shard(cluster, work, rng)
        np.maximum(last, shard.answer(arrivals), out=last)
        tries += shard.tries
    each = cluster.shards * len(arrivals)
    return Outcome((last - arrivals)[early:], tries / each)


@dataclass
class _Shard:
    """The replicas of one shard, and what is to happen to them."""

    cluster: Cluster
    work: Seconds
    rng: np.random.Generator
    tries: int = 0
    _events: list[tuple[float, int, int, int, int]] = field(default_factory=list)
    _order: int = 0

    def answer(self, arrivals: Seconds) -> Seconds:
        """Return when each query is answered."""
        replicas, hedge = self.cluster.replicas, self.cluster.hedge
        self._answered = np.full(len(arrivals), np.inf)
        self._asked = self.rng.choice(self.work, len(arrivals))
        self._waiting: list[deque[int]] = [deque() for _ in range(replicas)]
        self._idle = [self.cluster.at_once] * replicas
        chosen = self.rng.integers(replicas, size=len(arrivals)).tolist()
        for query, time in enumerate(arrivals.tolist()):
            self._push(time, ASK, query, chosen[query])
            if hedge is not None and replicas > 1:
                other = (chosen[query] + 1 + int(self.rng.integers(replicas - 1))) % replicas
                self._push(time + hedge, LATE, query, other)
        while self._events:
            time, _, kind, query, replica = heapq.heappop(self._events)
            if kind == DONE:
                self._answered[query] = min(self._answered[query], time)
                self._idle[replica] += 1
                self._next(time, replica)
            elif kind == ASK or self._answered[query] > time:
                self._waiting[replica].append(query)
                self.tries += 1
                self._next(time, replica)
        return self._answered

    def _next(self, time: float, replica: int) -> None:
        """Begin what waits for a replica, while it is free."""
        queue = self._waiting[replica]
        while queue and self._idle[replica]:
            query = queue.popleft()
            if self._answered[query] <= time:
                continue
            held = self.cluster.pauses and self.rng.random() < self.cluster.pauses
            extra = self.rng.exponential(self.cluster.pause) if held else 0.0
            work = self._asked[query] if self.cluster.same_work else self.rng.choice(self.work)
            self._idle[replica] -= 1
            self._push(time + work + extra, DONE, query, replica)

    def _push(self, time: float, kind: int, query: int, replica: int) -> None:
        # Events of one moment in the order in which they were thought of.
        self._order += 1
        heapq.heappush(self._events, (time, self._order, kind, query, replica))
