"""A report as text, and as the page of the documentation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import plots
from .targets import TARGETS, Row

Found = dict[str, Any]
HEAD = ("target", "case", "measured", "best", "goal", "")

INTRODUCTION = """\
# Benchmarks

This page is written by

    {command}

and holds the figures of one run. Every answer was compared with the slow and obvious search of
`tests/oracle.py` before it was timed. The contenders search the same codes in one process, on one
thread each and in turns; a ratio is the median of their times over the median of ours, *best* the
ratio of the shortest times. Ratios carry over to similar machines; times do not.

{machine}

## Targets at {size:,} codes

{targets}
"""

CURVES = """
## Latency and recall

![Latency against the number of codes, and time against recall]({picture})

One query of 64 bits, k = 10, as multiples of our time:

{latency}

Sixteen tables of 16 bits over HOG codes of Fashion-MNIST: recall of the exact ten nearest, codes
compared with a query, and time as a multiple of our exact scan of the same codes. With margins, our
buckets are probed in the order of their likelihood.

{recall}
"""


def text(found: Found) -> str:
    """The table of targets for a terminal."""
    rows = [HEAD, *_targets(found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, ", ".join(f"{k} {v}" for k, v in found["machine"].items())])


def write(found: Found, path: Path) -> None:
    """Write the page, and the picture beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page = INTRODUCTION.format(
        command=found["command"],
        machine=_table(("", ""), found["machine"].items()),
        size=found["size"],
        targets=_table(HEAD, _targets(found)),
    )
    if "curves" in found:
        picture = path.with_suffix(".png")
        plots.draw(found["curves"], picture)
        page += CURVES.format(
            picture=picture.name,
            latency=_latency(found["curves"]["latency"]),
            recall=_recall(found["curves"]["recall"]),
        )
    path.write_text(page)


def _targets(found: Found) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for entry in found["targets"]:
        row = Row(**{k: v for k, v in entry.items() if k not in ("target", "passed")})
        title = f"{entry['target']}. {TARGETS[entry['target']].title}"
        rows.append((title, row.case, *_figures(row)))
    return rows


def _figures(row: Row) -> tuple[str, str, str, str]:
    sign = "<=" if row.at_most else ">="
    return (
        f"{row.measured:.2f}{row.unit}",
        "" if row.best is None else f"{row.best:.2f}{row.unit}",
        "" if row.goal is None else f"{sign} {row.goal:g}{row.unit}",
        {True: "pass", False: "short", None: ""}[row.passed],
    )


def _latency(points: list[dict[str, Any]]) -> str:
    engines = list(dict.fromkeys(point["engine"] for point in points))
    times = {(point["codes"], point["engine"]): point["microseconds"] for point in points}
    counts = sorted({count for count, _ in times})
    rows = []
    for count in counts:
        cells = [
            f"{times[count, engine] / times[count, 'hashret']:.2f}"
            if (count, engine) in times
            else ""
            for engine in engines[1:]
        ]
        rows.append((f"{count:,}", *cells))
    return _table(("codes", *engines[1:]), rows)


def _recall(points: list[dict[str, Any]]) -> str:
    scan = next(point for point in points if point["engine"].startswith("hashret scan"))
    rows = [
        (
            point["engine"],
            point["setting"],
            f"{point['recall']:.3f}",
            f"{point['candidates']:,.0f}",
            f"{point['microseconds'] / scan['microseconds']:.2f}",
        )
        for point in points
    ]
    return _table(("engine", "setting", "recall", "codes compared", "time"), rows)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(head)
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
