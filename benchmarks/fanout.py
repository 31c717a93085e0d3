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
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

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
        shard = _Shard(cluster, work, arrivals, rng)
        shard.run()
        np.maximum(last, shard.answered, out=last)
        tries += shard.tries
    each = cluster.shards * len(arrivals)
    return Outcome((last - arrivals)[early:], tries / each)


class _Shard:
    """The replicas of one shard, and what is to happen to them."""

    def __init__(self, cluster: Cluster, work: Seconds, arrivals: Seconds, rng: Generator) -> None:
        self.tries = 0
        self.answered = np.full(len(arrivals), np.inf)
        self._cluster, self._work, self._rng = cluster, work, rng
        self._asked = rng.choice(work, len(arrivals))
        self._waiting: list[deque[int]] = [deque() for _ in range(cluster.replicas)]
        self._idle = [cluster.at_once] * cluster.replicas
        self._order = 0
        self._events: list[tuple[float, int, int, int, int]] = []
        self._plan(arrivals)

    def run(self) -> None:
        """Let all happen, until each query is answered."""
        while self._events:
            time, _, kind, query, replica = heapq.heappop(self._events)
            if kind == DONE:
                self.answered[query] = min(self.answered[query], time)
                self._idle[replica] += 1
                self._next(time, replica)
            elif kind == ASK or self.answered[query] > time:
                self._waiting[replica].append(query)
                self.tries += 1
                self._next(time, replica)

    def _plan(self, arrivals: Seconds) -> None:
        """Have each query ask a replica, and another where the first is late."""
        replicas, hedge = self._cluster.replicas, self._cluster.hedge
        chosen = self._rng.integers(replicas, size=len(arrivals)).tolist()
        for query, time in enumerate(arrivals.tolist()):
            self._push(time, ASK, query, chosen[query])
            if hedge is not None and replicas > 1:
                other = (chosen[query] + 1 + int(self._rng.integers(replicas - 1))) % replicas
                self._push(time + hedge, LATE, query, other)

    def _next(self, time: float, replica: int) -> None:
        """Begin what waits for a replica, while it is free."""
        cluster, rng, queue = self._cluster, self._rng, self._waiting[replica]
        while queue and self._idle[replica]:
            query = queue.popleft()
            if self.answered[query] <= time:
                continue
            held = cluster.pauses and rng.random() < cluster.pauses
            extra = rng.exponential(cluster.pause) if held else 0.0
            work = self._asked[query] if cluster.same_work else rng.choice(self._work)
            self._idle[replica] -= 1
            self._push(time + work + extra, DONE, query, replica)

    def _push(self, time: float, kind: int, query: int, replica: int) -> None:
        # Events of one moment in the order in which they were thought of.
        self._order += 1
        heapq.heappush(self._events, (time, self._order, kind, query, replica))
