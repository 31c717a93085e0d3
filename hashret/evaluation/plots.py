"""Pictures of results, in print quality: precision against recall, and tables.

Pictures of many results together are in :mod:`~hashret.evaluation.charts`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError
from .canvas import INK, SOFT, frame, line_style, new_figure, save

__all__ = ["Curve", "write_precision_recall", "write_table"]


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
    figure = new_figure(6.4, 4.8)
    axes = figure.add_subplot()
    for number, curve in enumerate(curves):
        seen = curve.recall > 0
        axes.plot(
            curve.recall[seen],
            curve.precision[seen],
            label=curve.name,
            markevery=max(1, int(seen.sum()) // 16),
            **line_style(number),
        )
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    frame(axes, title, "Recall", "Precision")
    if curves:
        # Outside, where many names cannot cover a curve.
        aside = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5)} if len(curves) > 6 else {}
        axes.legend(frameon=False, fontsize=8, **aside)
    return save(figure, path)


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
    figure = new_figure(width, height)
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
    return save(figure, path)


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
