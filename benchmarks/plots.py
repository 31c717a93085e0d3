"""The curves of a report as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hashret.errors import import_extra

Points = list[dict[str, Any]]


def draw(curves: dict[str, Points], path: Path) -> None:
    """Write latency against codes and time against recall as a PNG."""
    figure = import_extra("matplotlib.figure", "plot").Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    _lines(left, curves["latency"], "codes")
    left.set(xscale="log", xlabel="64-bit codes", title="One query, k = 10, one thread")
    _lines(right, curves["recall"], "recall")
    right.set(
        xlabel="recall of the exact 10 nearest", title="HOG codes of Fashion-MNIST, 16 x 16 bits"
    )
    figure.savefig(path, dpi=120)


def _lines(axes: Any, points: Points, along: str) -> None:
    for engine in dict.fromkeys(point["engine"] for point in points):
        mine = sorted((p for p in points if p["engine"] == engine), key=lambda p: p[along])
        axes.plot(
            [p[along] for p in mine],
            [p["microseconds"] for p in mine],
            marker="o",
            linestyle="-" if "hashret" in engine else "--",
            label=engine,
        )
    axes.set(yscale="log", ylabel="microseconds a query")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
