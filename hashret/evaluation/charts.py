"""Pictures that compare methods: scores by length of code, by time, by each other, by distances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ParameterError, ShapeError
from ..types import Floats
from .canvas import COLORS, INK, MARKERS, SOFT, frame, line_style, new_figure, save

__all__ = [
    "Distances",
    "Point",
    "Series",
    "Traded",
    "pareto",
    "write_distances",
    "write_scores_by_bits",
    "write_scores_by_time",
    "write_two_axes",
]


@dataclass(frozen=True)
class Series:
    """A method's scores at several lengths of code; `errors` half the width of an interval."""

    name: str
    bits: tuple[int, ...]
    scores: tuple[float, ...]
    errors: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.bits) == len(self.scores) == len(self.errors):
            raise ShapeError(
                f"scores, errors: expected {len(self.bits)} like bits, "
                f"got {len(self.scores)} and {len(self.errors)}"
            )


@dataclass(frozen=True)
class Point:
    """A method's score and the microseconds of a query."""

    name: str
    microseconds: float
    score: float


@dataclass(frozen=True)
class Traded:
    """A method's scores by two measures of which more of one may cost some of the other."""

    name: str
    first: float
    second: float


@dataclass(frozen=True)
class Distances:
    """Share of each Hamming distance 0 to bits among pairs within and between classes."""

    name: str
    within: Floats
    between: Floats

    def __post_init__(self) -> None:
        if self.within.ndim != 1 or self.within.shape != self.between.shape:
            raise ShapeError(
                f"between: expected shape {self.within.shape} like within, got {self.between.shape}"
            )


def write_scores_by_bits(
    series: Sequence[Series], measure: str, title: str, path: str | Path
) -> Path:
    """Draw scores against the length of code, a line a method named at its end; write a PNG.

    Parameters
    ----------
    series : sequence of Series
    measure : str
        What the scores are, with denominator and depth.
    title : str
    path : str or Path

    Examples
    --------
    >>> import tempfile
    >>> line = Series("ITQ", (16, 32), (0.2, 0.3), (0.0, 0.01))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_scores_by_bits([line], "mAP@all", "toy", Path(folder) / "bits.png").name
    'bits.png'
    """
    lengths = sorted({bits for line in series for bits in line.bits})
    figure = new_figure(6.8, max(4.0, 0.19 * len(series) + 1.6))
    axes = figure.add_subplot()
    for number, line in enumerate(series):
        # Equal steps: what doubles the bits is one step, as in the field's tables.
        steps = [lengths.index(bits) for bits in line.bits]
        axes.errorbar(steps, line.scores, yerr=line.errors, capsize=2, **line_style(number))
    axes.set_xticks(range(len(lengths)), [str(bits) for bits in lengths])
    # A line's end at the right edge, in units of the axis, whatever the number of lengths.
    margin = 0.05 * max(1, len(lengths) - 1)
    axes.set_xlim(-margin, len(lengths) - 1 + margin)
    frame(axes, title, "Bits of a code", measure)
    ends = [(line.scores[-1], line.name) for line in series]
    _name_ends(axes, ends, len(lengths) - 1 + margin, margin)
    return save(figure, path)


def _name_ends(axes: Any, ends: Sequence[tuple[float, str]], x: float, gap: float) -> None:
    """Write each name at the right, as close to its height as its neighbours leave room."""
    if not ends:
        return
    low, high = axes.get_ylim()
    # A line of 8 points, as a share of the axes' height.
    step = (high - low) * 0.155 / (axes.get_figure().get_figheight() * 0.77)
    heights = _spread([score for score, _ in ends], step)
    for number, ((score, name), height) in enumerate(zip(ends, heights, strict=True)):
        axes.annotate(
            name,
            xy=(x, score),
            xytext=(x + gap, height),
            fontsize=8,
            color=line_style(number)["color"],
            va="center",
            parse_math=False,
            annotation_clip=False,
            # To the middle of the name's left side: to its centre, it would cross its neighbours.
            arrowprops={
                "arrowstyle": "-",
                "color": "#c3cad3",
                "linewidth": 0.6,
                "relpos": (0, 0.5),
                "shrinkA": 1,
            },
        )


def _spread(heights: Sequence[float], step: float) -> list[float]:
    """Move heights apart to at least `step`, each block of touching ones around its mean."""
    order = np.argsort(heights, kind="stable")
    blocks: list[list[float]] = []
    for height in np.asarray(heights, float)[order]:
        blocks.append([height])
        while len(blocks) > 1 and _edge(blocks[-2], step, 1) > _edge(blocks[-1], step, -1):
            last = blocks.pop()
            blocks[-1] += last
    moved = [
        float(np.mean(block)) + step * (i - (len(block) - 1) / 2)
        for block in blocks
        for i in range(len(block))
    ]
    spread = [0.0] * len(moved)
    for row, height in zip(order, moved, strict=True):
        spread[row] = height
    return spread


def _edge(block: Sequence[float], step: float, side: int) -> float:
    return float(np.mean(block)) + side * step * len(block) / 2


def write_scores_by_time(
    points: Sequence[Point], measure: str, title: str, path: str | Path
) -> Path:
    """Draw scores against the time of a query, a point a method and length; write a PNG."""
    figure = new_figure(6.8, max(4.4, 0.19 * len({point.name for point in points}) + 1.6))
    axes = figure.add_subplot()
    for number, name in enumerate(dict.fromkeys(point.name for point in points)):
        own = [point for point in points if point.name == name]
        axes.scatter(
            [point.microseconds for point in own],
            [point.score for point in own],
            s=34,
            color=COLORS[number % len(COLORS)],
            marker=MARKERS[number // len(COLORS) % len(MARKERS)],
            edgecolor="white",
            linewidth=0.5,
            label=name,
        )
    axes.set_xscale("log")
    for axis_ticks in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        axis_ticks(_ticks(points))
    axes.tick_params(axis="x", which="both", length=3.5, pad=4, labelsize=9)
    frame(axes, title, "Microseconds of a query, one thread (logarithmic)", measure)
    if points:
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return save(figure, path)


def pareto(points: Sequence[Traded]) -> list[Traded]:
    """Return the points that no other exceeds in one measure and equals in the other, by the first.

    Examples
    --------
    >>> points = [Traded("a", 0.5, 0.5), Traded("b", 0.4, 0.4), Traded("c", 0.6, 0.1)]
    >>> [point.name for point in pareto(points)]
    ['a', 'c']
    """

    def beaten(point: Traded) -> bool:
        return any(
            other.first >= point.first
            and other.second >= point.second
            and (other.first, other.second) != (point.first, point.second)
            for other in points
        )

    return sorted((p for p in points if not beaten(p)), key=lambda p: (p.first, -p.second))


def write_two_axes(
    points: Sequence[Traded], measures: tuple[str, str], title: str, path: str | Path
) -> Path:
    """Draw two measures against each other, with a line through what nothing beats; write a PNG.

    Examples
    --------
    >>> import tempfile
    >>> points = [Traded("a", 0.5, 0.5), Traded("b", 0.4, 0.4)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_two_axes(points, ("class", "within"), "toy", Path(folder) / "p.png").name
    'p.png'
    """
    figure = new_figure(6.8, max(4.4, 0.19 * len(points) + 1.6))
    axes = figure.add_subplot()
    best = pareto(points)
    axes.plot(
        [point.first for point in best],
        [point.second for point in best],
        color=SOFT,
        linewidth=0.9,
        linestyle="--",
        zorder=1,
    )
    for number, point in enumerate(points):
        axes.scatter(
            point.first,
            point.second,
            s=38,
            color=COLORS[number % len(COLORS)],
            marker=MARKERS[number // len(COLORS) % len(MARKERS)],
            edgecolor="white",
            linewidth=0.5,
            label=point.name,
        )
    frame(axes, title, *measures)
    if points:
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return save(figure, path)


def _ticks(points: Sequence[Point]) -> Callable[[float, int], str]:
    """Return how ticks are written: 1, 2 and 5 times powers of ten, powers alone if many."""
    times = [point.microseconds for point in points] or [1.0]
    digits = "125" if max(times) < 100 * min(times) else "1"
    return lambda value, position: f"{value:,.6g}" if f"{value:e}"[0] in digits else ""


def write_distances(panels: Sequence[Distances], title: str, path: str | Path) -> Path:
    """Draw how Hamming distances spread within and between classes, a panel a method.

    Examples
    --------
    >>> import tempfile
    >>> panel = Distances("toy", np.array([0.8, 0.2, 0.0]), np.array([0.1, 0.2, 0.7]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_distances([panel], "toy", Path(folder) / "d.png").name
    'd.png'
    """
    if not panels:
        raise ParameterError("panels: expected at least one")
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    width, height = (6.4, 3.6) if len(panels) == 1 else (2.6 * columns, 2.0 * rows + 0.5)
    figure = new_figure(width, height)
    grid = figure.subplots(rows, columns, squeeze=False)
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.set_visible(False)
            continue
        _draw_distances(axes, panels[number])
    for axes in grid[:, 0]:
        axes.set_ylabel("Share of pairs")
    for number in range(max(0, len(panels) - columns), len(panels)):
        grid.flat[number].set_xlabel("Hamming distance")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK, parse_math=False)
    figure.legend(
        *grid[0, 0].get_legend_handles_labels(),
        loc="upper right",
        ncols=2,
        frameon=False,
        fontsize=8,
        bbox_to_anchor=(1.0, 1.0),
    )
    figure.tight_layout()
    return save(figure, path)


def _draw_distances(axes: Any, panel: Distances) -> None:
    edges = np.arange(len(panel.within) + 1) - 0.5
    for values, name, color in (
        (panel.within, "same class", COLORS[0]),
        (panel.between, "other classes", COLORS[1]),
    ):
        axes.stairs(values, edges, fill=True, color=color, alpha=0.35)
        axes.stairs(values, edges, color=color, linewidth=1.2, label=name)
    frame(axes, "", "", "")
    axes.set_title(panel.name, loc="left", fontsize=9, color=INK, parse_math=False)
    axes.tick_params(labelsize=8)
    axes.set_xlim(-0.5, len(panel.within) - 0.5)
    axes.set_ylim(0)
