"""The curves of a report as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hashret.extras import import_extra

Points = list[dict[str, Any]]


def draw(curves: dict[str, Points], path: Path) -> None:
    """Write latency against codes above time against recall, as a PNG."""
    rows = [(name, curves[name]) for name in ("latency", "recall") if name in curves]
    columns = max(len(_data(points)) for _, points in rows)
    size = (6.5 * columns, 5 * len(rows))
    figure = import_extra("matplotlib.figure", "plot").Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes, (name, points) in zip(grid, rows, strict=True):
        for panel, data in zip(axes, _data(points), strict=False):
            mine = [point for point in points if point["data"] == data]
            (_latency if name == "latency" else _recall)(panel, data, mine)
    figure.savefig(path, dpi=110)


def _data(points: Points) -> list[str]:
    return list(dict.fromkeys(point["data"] for point in points))


def _latency(axes: Any, data: str, points: Points) -> None:
    _lines(axes, points, "codes")
    axes.set(
        xscale="log",
        xlabel="codes of 64 bits",
        title=f"One query, k = 10, one thread: {data}",
    )


def _recall(axes: Any, data: str, points: Points) -> None:
    _lines(axes, points, "recall")
    axes.set(xlabel="recall of the exact 10 nearest", title=f"In batches, one thread: {data}")


def _lines(axes: Any, points: Points, along: str) -> None:
    for engine in dict.fromkeys(point["engine"] for point in points):
        mine = sorted((p for p in points if p["engine"] == engine), key=lambda p: p[along])
        axes.plot(
            [p[along] for p in mine],
            [p["microseconds"] for p in mine],
            marker="o" if "hashret" in engine else ".",
            linestyle="-" if "hashret" in engine else "--",
            label=engine,
        )
    axes.set(yscale="log", ylabel="microseconds a query")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small")
