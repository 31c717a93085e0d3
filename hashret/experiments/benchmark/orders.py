"""Which of two methods lies above the other, by seeds that both were measured with."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .tables import Group, Interval, interval

__all__ = ["LEAST_SEEDS", "above", "order", "paired", "separated"]

# With two seeds an interval is 18 times as wide as their difference.
LEAST_SEEDS = 3


def paired(first: Group, second: Group, name: str) -> Interval | None:
    """Return by how much a figure of the first is above the second's, over their common seeds.

    None if fewer than :data:`LEAST_SEEDS` seeds have the figure in both.

    Examples
    --------
    >>> def group(*scores):
    ...     return Group(tuple({"seed": seed, "map": s} for seed, s in enumerate(scores)))
    >>> paired(group(0.5, 0.6, 0.7), group(0.4, 0.5, 0.5), "map").text()
    '0.133 ± 0.143'
    """
    theirs = {row["seed"]: row[name] for row in second.rows}
    differences = [
        row[name] - theirs[row["seed"]]
        for row in first.rows
        if row[name] is not None and theirs.get(row["seed"]) is not None
    ]
    return interval(differences) if len(differences) >= LEAST_SEEDS else None


def separated(first: Group, second: Group, name: str) -> bool | None:
    """Tell whether the paired difference's 95% interval leaves out 0; None if not known."""
    found = paired(first, second, name)
    if found is None or found.half is None:
        return None
    return abs(found.mean) > found.half


def above(first: Group, second: Group, name: str) -> bool:
    """Tell whether the first is above the second and separated from it, over their common seeds."""
    found = paired(first, second, name)
    return found is not None and found.half is not None and found.mean > found.half


def order(groups: Sequence[Group], name: str) -> list[tuple[Group, str]]:
    """Return groups from the highest mean on, each with what stands between it and the next.

    ``" > "`` where the first is above and separated, ``" ~ "`` where they are not separated, and
    ``""`` after the last. ``" < "`` where seeds that only one of them has turn the order of the
    means around. Groups that have too few seeds to compare are left out.
    """
    fit = [group for group in groups if separated(group, group, name) is not None]
    ranked = sorted(fit, key=lambda group: -(group.average(name) or 0))
    signs = [
        " > " if above(a, b, name) else " < " if above(b, a, name) else " ~ "
        for a, b in pairwise(ranked)
    ]
    return list(zip(ranked, [*signs, ""], strict=True)) if ranked else []
