"""What the engine is to reach, a function for each target, by number.

A target is a generator of :class:`Row`, registered with :func:`target`; it checks its answers
before it times them. A new one is one more function in a module imported at the end of this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..duel import Duel
from ..sizes import SIZES


@dataclass(frozen=True)
class Row:
    """One measured figure of a target.

    Attributes
    ----------
    case : str
        What data, and against whom.
    measured : float
    goal : float, optional
        None for a figure that is only reported.
    at_most : bool
        Whether the goal is an upper limit.
    unit : str
    best : float, optional
        The ratio of the best times, beside that of the medians.
    parts : dict of str to float
        The figures that `measured` sums up, by name.
    """

    case: str
    measured: float
    goal: float | None = None
    at_most: bool = False
    unit: str = "x"
    best: float | None = None
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool | None:
        """Whether the goal is met; None if there is none."""
        if self.goal is None:
            return None
        return self.measured <= self.goal if self.at_most else self.measured >= self.goal


Measure = Callable[[int], Iterator[Row]]


@dataclass(frozen=True)
class Target:
    """A numbered target: what it is about and how it is measured at a number of codes.

    A run of a size outside `least` to `most` leaves it out, unless it is asked for.
    """

    number: int
    title: str
    measure: Measure
    least: int
    most: int


TARGETS: dict[int, Target] = {}


def target(
    number: int, title: str, *, least: int = 0, most: int = SIZES["large"]
) -> Callable[[Measure], Measure]:
    """Register the function that measures a target."""

    def register(measure: Measure) -> Measure:
        assert number not in TARGETS, f"target {number} is there twice"
        TARGETS[number] = Target(number, title, measure, least, most)
        return measure

    return register


def ratio(case: str, contest: Duel, rival: str, goal: float | None = None) -> Row:
    """The row that says how many times as long a rival takes."""
    return Row(f"{case}, {rival}", contest.ratio(rival), goal, best=contest.ratio(rival, best=True))


from . import approximate, beside, billion, filters, life, long, lsh, mih, pairs, planner, scan  # noqa: E402, F401  (they register themselves)
