"""Rows as tables: seeds gathered into mean and 95% interval, a column a measure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .rows import Row

__all__ = [
    "COLUMNS",
    "DECIDED",
    "SAME",
    "Column",
    "Group",
    "Interval",
    "Table",
    "average",
    "bounds",
    "first",
    "group_rows",
    "group_settings",
    "interval",
    "mean",
    "show",
    "table_of",
]

# Rows that agree in these and in what is decided for them differ by their seed, or the later one
# stands for the earlier.
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
    "alpha",
)

DECIDED = ("options", "settings")

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
        values: list[Any] = [row.get(name) for row in self.rows]
        return None if None in values else interval(values)

    def average(self, name: str) -> float | None:
        """Return a figure's mean over the seeds; None where a row lacks it."""
        found = self.over(name)
        return None if found is None else found.mean


def group_rows(rows: Sequence[Row]) -> list[Group]:
    """Gather rows that differ by seed only, in the order in which methods first came.

    Rows of other options or settings are never averaged: those of the newest row stand, and the
    others were superseded, as are those that say so ("superseded", and why). Of rows that agree
    in the seed too, the last stands.
    """
    groups: dict[tuple[Any, ...], dict[str, dict[int, Row]]] = {}
    newest: dict[tuple[Any, ...], str] = {}
    for row in rows:
        if "superseded" in row:
            continue
        same = tuple(row[name] for name in SAME)
        newest[same] = json.dumps([row.get(name) for name in DECIDED], sort_keys=True)
        groups.setdefault(same, {}).setdefault(newest[same], {})[row["seed"]] = row
    standing = (groups[same][settings] for same, settings in newest.items())
    return [Group(tuple(found[seed] for seed in sorted(found))) for found in standing]


def group_settings(rows: Sequence[Row]) -> list[Group]:
    """Gather rows that differ by seed only, other options or settings apart, the oldest first."""
    groups: dict[str, dict[int, Row]] = {}
    for row in rows:
        same = json.dumps([row.get(name) for name in (*SAME, *DECIDED)], sort_keys=True)
        groups.setdefault(same, {})[row["seed"]] = row
    return [Group(tuple(found[seed] for seed in sorted(found))) for found in groups.values()]


Cell = Callable[[Group], str]


@dataclass(frozen=True)
class Column:
    """A column of a table: its head, and a function from a group to the text of its cell."""

    head: str
    cell: Cell


@dataclass(frozen=True)
class Table:
    """A table to print or to draw."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def markdown(self) -> list[str]:
        """Return the lines of the table, its title and note left out."""
        return [
            "| " + " | ".join(self.columns) + " |",
            "|---" + "|--:" * (len(self.columns) - 1) + "|",
            *("| " + " | ".join(row) + " |" for row in self.rows),
            "",
        ]


def table_of(
    groups: Sequence[Group], columns: Sequence[Column], title: str = "", note: str = ""
) -> Table:
    """Make a table with a row a group."""
    heads = tuple(column.head for column in columns)
    rows = tuple(tuple(column.cell(group) for column in columns) for group in groups)
    return Table(title, heads, rows, note)


def show(value: Any, form: str = "") -> str:
    """Return a value as text, a missing one as a dash."""
    return "-" if value is None else format(value, form)


def first(name: str, form: str = "") -> Cell:
    """Return a cell of what all rows share, or the first row's."""
    return lambda group: show(group[name], form)


def average(name: str, form: str = ".3f") -> Cell:
    """Return a cell of the mean over seeds."""
    return lambda group: show(group.average(name), form)


def mean(name: str, digits: int = 3) -> Cell:
    """Return a cell of the mean over seeds with its interval."""

    def cell(group: Group) -> str:
        found = group.over(name)
        return "-" if found is None else found.text(digits)

    return cell


def bounds(name: str) -> Cell:
    """Return a cell of the means in the worst and the best order of ties."""
    low, high = average(f"{name}_low"), average(f"{name}_high")
    return lambda group: f"{low(group)} to {high(group)}"


def _trained(group: Group) -> str:
    return ", ".join(group[name] for name in ("network", "features", "budget") if group[name])


COLUMNS = (
    Column("method", first("method")),
    Column("bits", first("bits", "d")),
    Column("protocol", first("protocol")),
    Column("trained", _trained),
    Column("seeds", lambda group: str(len(group.rows))),
    Column("mAP@10 (hits)", mean("map10_hits")),
    Column("mAP@all", mean("map_all")),
    Column("bounds", bounds("map_all")),
    Column("P@radius 2", mean("precision_radius2")),
    Column("distinct codes", average("distinct_codes", ",.0f")),
    Column("train CPU s", average("train_cpu_seconds", ".1f")),
    Column("query µs", average("query_microseconds", ".0f")),
)
