"""Every query timed by itself on every contender."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import numpy as np

from .data import Codes
from .duel import OURS
from .peers import Answer, Search

# Queries that all contenders answer before a slow one sits out.
FIRST = 5


class Tour:
    """Asks one query after the other, each of all contenders in turns: A B C, B C A, ...

    No query is asked twice of the same contender, so that none finds in a cache what its last
    turn left there; the first query only warms up. Where times differ from query to query, the
    median of ratios says more than the ratio of the medians.

    Parameters
    ----------
    engines : mapping of str to search
        The contenders; ours is called ``"hashret"``.
    queries : ndarray of uint8, shape (n, bytes)
        Two at least.
    k : int
        The second argument of each search: neighbours, or a radius.
    size : int
        Queries of one call.
    cutoff : float, optional
        A contender sits out the rest when its median is so many times the shortest, and ours
        never.
    seconds : float
        No further query begins after this time, if `FIRST` are done.

    Attributes
    ----------
    seconds : dict of str to list of float
        Time of each call.
    answers : dict of str to list
        What each call returned.
    """

    def __init__(
        self,
        engines: Mapping[str, Search],
        queries: Codes,
        k: int,
        *,
        size: int = 1,
        cutoff: float | None = None,
        seconds: float = 60.0,
    ) -> None:
        names = list(engines)
        self.seconds: dict[str, list[float]] = {name: [] for name in names}
        self.answers: dict[str, list[Answer]] = {name: [] for name in names}
        for search in engines.values():
            search(queries[:1], k)
        began = time.perf_counter()
        for turn, start in enumerate(range(1, len(queries) - size + 1, size)):
            asked = np.ascontiguousarray(queries[start : start + size])
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                self._ask(name, engines[name], asked, k)
            if turn + 1 >= FIRST and time.perf_counter() - began > seconds:
                break
            if turn + 1 == FIRST and cutoff:
                limit = cutoff * min(self.median(name) for name in names)
                names = [name for name in names if name == OURS or self.median(name) <= limit]

    def _ask(self, name: str, search: Search, queries: Codes, k: int) -> None:
        start = time.perf_counter()
        found = search(queries, k)
        self.seconds[name].append(time.perf_counter() - start)
        self.answers[name].append(found)

    def median(self, name: str = OURS) -> float:
        """Median of a contender's times, in seconds."""
        return statistics.median(self.seconds[name])

    def ratio(self, rival: str, best: bool = False) -> float:
        """How many times as long the rival takes: median over rounds of turns, or best to best.

        Who searches after whom can matter to both, so that single ratios fall into two heaps. In
        a round each contender has been at each turn once; its ratio is the geometric mean.
        """
        theirs, mine = self.seconds[rival], self.seconds[OURS]
        if best:
            return min(theirs) / min(mine)
        ratios = [a / b for a, b in zip(theirs, mine, strict=False)]
        contenders = sum(len(taken) == len(mine) for taken in self.seconds.values())
        contenders = min(contenders, len(ratios))  # few turns, if many were slow
        rounds = [ratios[start : start + contenders] for start in range(0, len(ratios), contenders)]
        return statistics.median(
            statistics.geometric_mean(turns) for turns in rounds if len(turns) == contenders
        )

    def found(self, name: str, calls: int | None = None) -> Answer:
        """Distances and ids of the first calls, one under the other; of all that it answered."""
        parts = self.answers[name][:calls]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
