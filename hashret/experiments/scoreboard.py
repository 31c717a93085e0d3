"""Rows of a benchmark as tables: seeds gathered into mean and 95% interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .ledger import Row

__all__ = ["COLUMNS", "SAME", "Group", "Interval", "group_rows", "interval", "table_rows"]

# Rows that agree in these differ by their seed, or the later one stands for the earlier.
SAME = (
    "dataset",
    "protocol",
    "method",
    "network",
    "features",
    "budget",
    "device",
    "bits",
    "tables",
)

COLUMNS = (
    "method",
    "bits",
    "protocol",
    "trained",
    "seeds",
    "mAP@10 (hits)",
    "mAP@all",
    "bounds",
    "P@radius 2",
    "distinct codes",
    "train CPU s",
    "query µs",
)

# Student's t, two-sided 95%, for 1 to 9 degrees of freedom; 1.96 beyond is within a sixth.
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True)
class Interval:
    """A mean over seeds, and half the width of its 95% interval; None for a single seed."""

    mean: float
    half: float | None

    def text(self, digits: int = 3) -> str:
        """Return ``mean`` or ``mean ± half``."""
        words = f"{self.mean:.{digits}f}"
        return words if self.half is None else f"{words} ± {self.half:.{digits}f}"


def interval(values: Sequence[float]) -> Interval:
    """Return the mean and half the 95% interval (Student's t).

    Examples
    --------
    >>> interval([0.5]).text(), interval([0.4, 0.5, 0.6]).text()
    ('0.500', '0.500 ± 0.248')
    """
    count = len(values)
    if count < 2:
        return Interval(float(values[0]), None)
    quantile = _STUDENT[count - 2] if count - 2 < len(_STUDENT) else 1.96
    error = float(np.std(values, ddof=1)) / count**0.5
    return Interval(float(np.mean(values)), quantile * error)


@dataclass(frozen=True)
class Group:
    """Rows of one setting, a row a seed, by seed."""

    rows: tuple[Row, ...]

    def __getitem__(self, name: str) -> Any:
        """Return what all its rows share, or the first row's."""
        return self.rows[0][name]

    def over(self, name: str) -> Interval | None:
        """Return a figure's mean and interval over the seeds; None where a row lacks it."""
        values = [row[name] for row in self.rows]
        return None if None in values else interval(values)


def group_rows(rows: Sequence[Row]) -> list[Group]:
    """Gather rows that differ by seed only, in the order in which settings first came.

    Of rows that agree in the seed too, the last stands: settings were changed, and it was
    measured again.
    """
    groups: dict[tuple[Any, ...], dict[int, Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in SAME), {})[row["seed"]] = row
    return [Group(tuple(found[seed] for seed in sorted(found))) for found in groups.values()]


def table_rows(rows: Sequence[Row]) -> tuple[tuple[str, ...], ...]:
    """Return the cells of a table with :data:`COLUMNS`."""
    return tuple(_cells(group) for group in group_rows(rows))


def _cells(group: Group) -> tuple[str, ...]:
    trained = ", ".join(group[name] for name in ("network", "features", "budget") if group[name])
    return (
        group["method"],
        _number(group["bits"], "d"),
        group["protocol"],
        trained,
        str(len(group.rows)),
        _mean(group, "map10_hits"),
        _mean(group, "map_all"),
        f"{_mean(group, 'map_all_low', True)} to {_mean(group, 'map_all_high', True)}",
        _mean(group, "precision_radius2"),
        _number(group["distinct_codes"], ",d"),
        _number(group["train_cpu_seconds"], ".1f"),
        _number(group["query_microseconds"], ".0f"),
    )


def _mean(group: Group, name: str, bare: bool = False) -> str:
    found = group.over(name)
    if found is None:
        return "-"
    return f"{found.mean:.3f}" if bare else found.text()


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
