"""Figures of docs/scale.md as they are read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

HOUR, DAY = 3600.0, 86400.0


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table of Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def number(value: float) -> str:
    """Return a count, of which three digits or all."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def size(value: float) -> str:
    """Return bytes in decimal units, three digits."""
    value = float(f"{value:.3g}")
    units = ("B", "kB", "MB", "GB", "TB", "PB")
    power = min(int(math.log10(value) / 3), len(units) - 1) if value >= 1 else 0
    return f"{value / 1000**power:.3g} {units[power]}"


def seconds(value: float) -> str:
    """Return a short time, three digits."""
    value = float(f"{value:.3g}")
    for unit, length in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= length:
            return f"{value / length:,.3g} {unit}" if value < 1000 else f"{value:,.0f} s"
    return f"{1e9 * value:.3g} ns"


def duration(value: float) -> str:
    """Return a time that may be long."""
    for unit, length in (("days", DAY), ("h", HOUR), ("min", 60.0)):
        if value >= 2 * length:
            return f"{number(value / length)} {unit}"
    return seconds(value)
