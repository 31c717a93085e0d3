"""Contenders timed in turns, so that whatever slows the machine slows them all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

OURS = "hashret"


class Duel:
    """Times calls in turns: A B C, A B C, ...

    A rival that has used up its share of time sits out the rest, after three turns at least.

    Parameters
    ----------
    calls : mapping of str to callable
        The contenders; ours is called ``"hashret"``, the others are its rivals.
    rival_seconds : float
        Time that a rival may take in all before it sits out.

    Attributes
    ----------
    seconds : dict of str to list of float
        Time of each turn.
    """

    def __init__(
        self, calls: Mapping[str, Callable[[], object]], rival_seconds: float = 6.0
    ) -> None:
        self.calls = dict(calls)
        self.rival_seconds = rival_seconds
        self.seconds: dict[str, list[float]] = {name: [] for name in calls}

    def play(self, rounds: int) -> Duel:
        """Take the given number of rounds after one that does not count."""
        self.warm_up()
        for _ in range(rounds):
            self.rivals()
            self.turn()
        return self

    def warm_up(self) -> None:
        """Call every contender once, untimed."""
        for call in self.calls.values():
            call()

    def turn(self, name: str = OURS) -> None:
        """Time one call of one contender."""
        start = time.perf_counter()
        self.calls[name]()
        self.seconds[name].append(time.perf_counter() - start)

    def rivals(self) -> None:
        """Time one call of each rival."""
        for name, taken in self.seconds.items():
            if name != OURS and (len(taken) < 3 or sum(taken) < self.rival_seconds):
                self.turn(name)

    def median(self, name: str = OURS) -> float:
        """Median of a contender's times, in seconds."""
        return statistics.median(self.seconds[name])

    def ratio(self, rival: str, best: bool = False) -> float:
        """How many times as long the rival takes: by medians, or by the best times."""
        middle: Callable[[list[float]], float] = min if best else statistics.median
        return middle(self.seconds[rival]) / middle(self.seconds[OURS])

    def ratios(self) -> dict[str, float]:
        """Ratio by medians of every rival."""
        return {name: self.ratio(name) for name in self.seconds if name != OURS}


def repeated(call: Callable[[], object], times: int) -> Callable[[], None]:
    """Make one turn of many calls, for what is too short to time alone."""

    def all_calls() -> None:
        for _ in range(times):
            call()

    return all_calls
