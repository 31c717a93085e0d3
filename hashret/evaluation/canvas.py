"""What all pictures share: colours, frames, files.

Drawn with matplotlib's figure objects alone: pyplot keeps global state, and a library must not
touch its user's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..extras import import_extra
from ..files import replacing

__all__ = ["COLORS", "INK", "MARKERS", "SOFT", "frame", "line_style", "new_figure", "save"]

# Okabe and Ito's colours, told apart in every kind of colour blindness; line style and marker
# repeat the difference for print in grey.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK, SOFT = "#16202c", "#5b6675"


def new_figure(width: float, height: float) -> Any:
    """Return an empty matplotlib figure of a size in inches."""
    figures: Any = import_extra("matplotlib.figure", "plot")
    agg: Any = import_extra("matplotlib.backends.backend_agg", "plot")
    figure = figures.Figure(figsize=(width, height), facecolor="white")
    agg.FigureCanvasAgg(figure)
    return figure


def line_style(number: int) -> dict[str, Any]:
    """Return colour, dashes and marker of the line of this number."""
    return {
        "color": COLORS[number % len(COLORS)],
        "linestyle": LINES[number // len(COLORS) % len(LINES)],
        "marker": MARKERS[number % len(MARKERS)],
        "markersize": 3.5,
        "linewidth": 1.4,
    }


def frame(axes: Any, title: str, x: str, y: str) -> None:
    """Set title and the names of the axes, and draw a light grid and two spines only."""
    axes.set_title(title, loc="left", fontsize=11, color=INK, parse_math=False)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="#e6eaef", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Any, path: str | Path) -> Path:
    """Write a PNG and return its path."""
    with replacing(path) as file:
        # No software tag: the same figures give the same bytes.
        figure.savefig(
            file,
            dpi=200,
            format="png",
            bbox_inches="tight",
            pad_inches=0.08,
            metadata={"Software": None},
        )
    return Path(path)
