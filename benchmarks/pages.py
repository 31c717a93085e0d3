"""A report as text, and as the page of the documentation."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import plots
from .targets import TARGETS, Row

Found = dict[str, Any]
Points = list[dict[str, Any]]
HEAD = ("target", "case", "measured", "best", "goal", "")

INTRODUCTION = """\
# Benchmarks, {isa}, {processor}

This page is written by

{commands}

and holds the figures of these runs. Every answer was compared with the slow and obvious search of
`tests/oracle.py`, or where that takes too long with faiss's exhaustive search, before it counted.
The contenders search the same codes in one process, on one thread each and in turns. A ratio is the
median of their times over the median of ours, or where times differ from query to query (targets
7 to 9) the median of the ratios, no query asked twice, each ratio the geometric mean over a round
in which all contenders had each place once; *best* is the ratio of the shortest times, or the best
rate. Ratios carry over to similar machines; times do not.

{machine}
"""

TARGETED = """
## Targets at {size:,} codes

{targets}
"""

REGRETS = """
### The planner, cell by cell

Its time over that of the better of its two ways; `k` nearest or all within a radius. Where that is
more than the goal, `twin` is what a second index of the better way takes over the first: so much
the measure itself varies.

{regrets}
"""

CURVES = """
## Latency and recall, up to {size:,} codes

![Latency against the number of codes, and time against recall]({picture})
"""

LATENCY = """
One query of 64 bits, k = 10, {data} codes, as multiples of the time of our index (kind "auto"):

{table}
"""

RECALL = """
{data}: recall of the exact ten nearest, codes compared with a query,
and time as a multiple of our exact scan of the same codes, in batches on one thread. With margins,
our buckets are probed in the order of their likelihood.

{table}
"""


def text(found: Found) -> str:
    """The table of targets for a terminal."""
    rows = [HEAD, *_targets(found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    machine = ", ".join(f"{name} {value}" for name, value in found["machine"].items())
    failed = [f"{what} failed:\n{why}" for what, why in found["failed"].items()]
    return "\n".join([f"{found['size']:,} codes", *lines, *failed, machine])


def write(reports: list[Found], path: Path) -> None:
    """Write the page of one or more reports, and beside it their pictures and themselves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for found, picture in _drawn(reports, path):
        # Of ratios that were rounded no picture can be drawn again.
        if not found.get("rounded"):
            plots.draw(found["curves"], picture)
    path.with_suffix(".jsonl").write_text("".join(json.dumps(found) + "\n" for found in reports))
    path.write_text(page(reports, path))


def read(path: Path) -> list[Found]:
    """Return the reports of a file: one, or one a line where its name ends in .jsonl."""
    content = path.read_text(encoding="utf-8")
    lines = content.splitlines() if path.suffix == ".jsonl" else [content]
    return [json.loads(line) for line in lines]


def page(reports: list[Found], path: Path) -> str:
    """Return the page of one or more reports that lies at a path."""
    text = INTRODUCTION.format(
        commands="\n".join(f"    {found['command']}" for found in reports),
        machine=_table(("", ""), reports[0]["machine"].items()),
        isa=reports[0]["machine"]["instruction set"],
        processor=reports[0]["machine"]["processor"],
    )
    for found in reports:
        if found["targets"]:
            text += TARGETED.format(size=found["size"], targets=_table(HEAD, _targets(found)))
        regrets = _regrets(found)
        if regrets:
            text += REGRETS.format(regrets=_table(("codes", "form", "ratios"), regrets))
    for found, picture in _drawn(reports, path):
        text += CURVES.format(size=found["size"], picture=picture.name)
        text += _curves(found["curves"])
    return text


def _drawn(reports: list[Found], path: Path) -> list[tuple[Found, Path]]:
    """Return the reports that have curves, and where the picture of each lies."""
    with_curves = [found for found in reports if found["curves"]]
    return [
        (found, path.with_suffix(".png" if number == 1 else f".{number}.png"))
        for number, found in enumerate(with_curves, start=1)
    ]


def _curves(curves: dict[str, Points]) -> str:
    parts = []
    for name, form, table in (("latency", LATENCY, _latency), ("recall", RECALL, _recall)):
        points = curves.get(name, [])
        for data in dict.fromkeys(point["data"] for point in points):
            mine = [point for point in points if point["data"] == data]
            parts.append(form.format(data=data, table=table(mine)))
    return "".join(parts)


def _regrets(found: Found) -> list[tuple[str, ...]]:
    return [
        (
            *entry["case"].partition(": ")[0].rsplit(", ", 1),
            ", ".join(f"{cell}: {ratio:.2f}" for cell, ratio in entry["parts"].items()),
        )
        for entry in found["targets"]
        if entry["parts"]
    ]


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


def _time(point: dict[str, Any]) -> float:
    """Return a time; of a rounded report, where only ratios are kept, in that of the others."""
    return float(point["relative"] if "relative" in point else point["microseconds"])


def _latency(points: Points) -> str:
    engines = [ours := "hashret auto"]
    engines += [e for e in dict.fromkeys(point["engine"] for point in points) if e != ours]
    times = {(point["codes"], point["engine"]): _time(point) for point in points}
    counts = sorted({count for count, _ in times})
    rows = []
    for count in counts:
        cells = [
            f"{times[count, engine] / times[count, ours]:.2f}" if (count, engine) in times else ""
            for engine in engines[1:]
        ]
        rows.append((f"{count:,}", *cells))
    return _table(("codes", *engines[1:]), rows)


def _recall(points: Points) -> str:
    scan = next(point for point in points if point["engine"].startswith("hashret scan"))
    rows = [
        (
            point["engine"],
            point["setting"],
            f"{point['recall']:.3f}",
            "" if point["candidates"] is None else f"{point['candidates']:,.0f}",
            f"{_time(point) / _time(scan):.2f}",
        )
        for point in points
    ]
    return _table(("engine", "setting", "recall", "codes compared", "time"), rows)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(head)
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
