"""Pictures of results, in print quality: precision against recall, and tables.

Drawn with matplotlib's figure objects alone: pyplot keeps global state, and a
library must not touch its user's.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, import_extra

__all__ = ["Curve", "write_precision_recall", "write_table"]

# Okabe and Ito's colours, told apart in every kind of colour blindness; line style and marker
# repeat the difference for print in grey.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK, SOFT = "#16202c", "#5b6675"


@dataclass(frozen=True)
class Curve:
    """Precision and recall at each Hamming radius 0, 1, ..., bits, and the curve's name."""

    name: str
    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.precision.ndim != 1 or self.precision.shape != self.recall.shape:
            raise ShapeError(
                f"recall: expected shape {self.precision.shape} like precision, "
                f"got {self.recall.shape}"
            )


def write_precision_recall(curves: Sequence[Curve], title: str, path: str | Path) -> Path:
    """Draw precision against recall by Hamming radius, write a PNG and return its path.

    Radii that retrieve nothing (recall 0) are left out: precision means nothing there.

    Examples
    --------
    >>> import tempfile
    >>> curve = Curve("LSH", np.array([1.0, 0.5]), np.array([0.25, 1.0]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_precision_recall([curve], "toy", Path(folder) / "pr.png").name
    'pr.png'
    """
    figure = _new_figure(6.4, 4.8)
    axes = figure.add_subplot()
    for number, curve in enumerate(curves):
        seen = curve.recall > 0
        axes.plot(
            curve.recall[seen],
            curve.precision[seen],
            label=curve.name,
            color=COLORS[number % len(COLORS)],
            linestyle=LINES[number // len(COLORS) % len(LINES)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=3.5,
            markevery=max(1, int(seen.sum()) // 16),
            linewidth=1.4,
        )
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="Recall", ylabel="Precision")
    axes.set_title(title, loc="left", fontsize=11, color=INK, parse_math=False)
    axes.grid(color="#e6eaef", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if curves:
        axes.legend(frameon=False, fontsize=8)
    return _save(figure, path)


def write_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], title: str, note: str, path: str | Path
) -> Path:
    """Draw a table with horizontal rules only, write a PNG and return its path.

    Parameters
    ----------
    columns : sequence of str
        Heads; the first column is set left, the others right.
    rows : sequence of sequences of str
    title, note : str
        Above and below the table.
    path : str or Path
    """
    if any(len(row) != len(columns) for row in rows):
        raise ShapeError(f"rows: expected {len(columns)} cells in each")
    ends, width = _column_ends(columns, rows)
    line = 0.27
    # A letter of 7.5 points is about 0.062 inch wide.
    notes = textwrap.wrap(note, int((width - 0.4) / 0.062))
    height = line * (len(rows) + 1) + 0.9 + 0.17 * len(notes)
    figure = _new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    _text(axes, 0.2, 0.36, title, 11, weight="bold")
    top = 0.55
    for y, weight in ((top, 1.2), (top + line, 0.7), (top + line * (len(rows) + 1), 1.2)):
        axes.plot((0.2, width - 0.2), (y, y), color=INK, linewidth=weight)
    for number, cells in enumerate([columns, *rows]):
        y = top + line * (number + 0.66)
        for column, cell in enumerate(cells):
            x, side = (0.25, "left") if column == 0 else (ends[column], "right")
            _text(axes, x, y, cell, 8.5, ha=side, weight="bold" if number == 0 else "normal")
    for number, words in enumerate(notes):
        y = top + line * (len(rows) + 1) + 0.26 + 0.17 * number
        _text(axes, 0.2, y, words, 7.5, color=SOFT)
    return _save(figure, path)


def _column_ends(
    columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[npt.NDArray[np.float64], float]:
    """Return where each column ends and the picture's width, in inches."""
    letters = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    # 0.08 inch holds a bold letter of 8.5 points in DejaVu Sans, 0.25 parts two columns.
    ends = 0.2 + np.cumsum(0.08 * np.array(letters) + 0.25)
    return ends, float(ends[-1] + 0.25)


def _text(axes: Any, x: float, y: float, text: str, size: float, **options: Any) -> None:
    options.setdefault("color", INK)
    axes.text(x, y, text, fontsize=size, parse_math=False, **options)


def _new_figure(width: float, height: float) -> Any:
    figures: Any = import_extra("matplotlib.figure", "plot")
    agg: Any = import_extra("matplotlib.backends.backend_agg", "plot")
    figure = figures.Figure(figsize=(width, height), facecolor="white")
    agg.FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, path: str | Path) -> Path:
    path = Path(path)
    # No software tag: the same figures give the same bytes.
    figure.savefig(
        path,
        dpi=200,
        format="png",
        bbox_inches="tight",
        pad_inches=0.08,
        metadata={"Software": None},
    )
    return path
