"""Retrieved images as one picture: queries at the left, neighbours at the right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...extras import import_extra
from ...files import replacing
from .answers import Answers, Gallery, Hit, Image, Tile

__all__ = ["write_png"]

# Okabe and Ito's bluish green and vermilion: distinct in every kind of colour blindness, and
# the mark inside (a check, a cross) says the same once more.
RIGHT, WRONG = "#009E73", "#D55E00"
INK, SOFT, LINE, PHOTO = "#16202c", "#5b6675", "#dde2e9", "#0c0f13"

# In units of one neighbour's side.
GAP, CAPTION, HEADING, LANE_NAME, QUERY = 0.14, 0.32, 1.86, 0.36, 2.0


def write_png(gallery: Gallery, path: str | Path, *, dpi: int = 120) -> Path:
    """Draw the gallery as a contact sheet, write it as PNG and return its path.

    Up to five queries stand below each other; more fill two columns.

    Parameters
    ----------
    gallery : Gallery
    path : str or Path
    dpi : int
        Pixels along the side of one neighbour.
    """
    figures: Any = import_extra("matplotlib.figure", "plot")
    agg: Any = import_extra("matplotlib.backends.backend_agg", "plot")
    columns = 1 if len(gallery.queries) <= 5 else 2
    per_column = -(-len(gallery.queries) // columns)
    lanes = len(gallery.methods) * (LANE_NAME + 1 + CAPTION)
    block = max(QUERY + CAPTION + LANE_NAME, lanes) + 2 * GAP
    column = QUERY + 2 * GAP + _longest(gallery) * (1 + GAP)
    width = columns * (column + 4 * GAP)
    height = HEADING + block * per_column + (0.5 if gallery.credits else GAP)

    figure = figures.Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    agg.FigureCanvasAgg(figure)
    # One axes whose unit is an inch, y downwards: hundreds of axes would take half a minute.
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    _draw_heading(axes, gallery)
    for number in range(len(gallery.queries)):
        x = 2 * GAP + number // per_column * (column + 4 * GAP)
        _draw_block(axes, gallery, number, x, HEADING + number % per_column * block, column)
    _draw_text(axes, 2 * GAP, height - 0.2, gallery.credits, 9, SOFT)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    with replacing(path) as file:
        figure.savefig(file, dpi=dpi, format="png", metadata={"Software": None})
    return Path(path)


def _longest(gallery: Gallery) -> int:
    # The heading needs the room of eight neighbours.
    return max(8, *(len(hits) for method in gallery.methods for hits in method.hits), 0)


def _draw_block(axes: Any, gallery: Gallery, number: int, x: float, y: float, width: float) -> None:
    axes.plot((x, x + width), (y, y), color=LINE, linewidth=1)
    _draw_query(axes, gallery.queries[number], x, y + GAP + LANE_NAME)
    left = x + QUERY + 3 * GAP
    for position, method in enumerate(gallery.methods):
        top = y + GAP + position * (LANE_NAME + 1 + CAPTION)
        _draw_lane(axes, method, number, left, top, x + width)


def _draw_heading(axes: Any, gallery: Gallery) -> None:
    left = 2 * GAP
    _draw_text(axes, left, 0.62, gallery.title, 22, INK, weight="bold")
    _draw_text(axes, left, 1.06, gallery.subtitle, 11, SOFT)
    right, wrong, distance = gallery.legend
    _draw_mark(axes, True, left, 1.34)
    _draw_text(axes, left + 0.36, 1.54, right, 10, INK)
    _draw_mark(axes, False, left + 2.6, 1.34)
    _draw_text(axes, left + 2.96, 1.54, wrong, 10, INK)
    _draw_text(axes, left + 4.5, 1.54, distance, 10, INK)


def _draw_query(axes: Any, query: Tile, x: float, y: float) -> None:
    _draw_image(axes, query.image, x, y, QUERY)
    _draw_text(axes, x, y + QUERY + 0.26, f"Query: {query.name}", 11, INK, weight="bold")


def _draw_lane(axes: Any, method: Answers, number: int, x: float, y: float, end: float) -> None:
    hits = method.hits[number]
    title = _draw_text(axes, x, y + 0.24, method.name, 11, INK, weight="bold")
    axes.annotate(f"  {method.detail}", (1, 0), xycoords=title, fontsize=9, color=SOFT, va="bottom")
    score = f"{sum(hit.right for hit in hits)} of {len(hits)} right"
    _draw_text(axes, end, y + 0.24, score, 9, SOFT, ha="right")
    if not hits:
        _draw_text(axes, x, y + LANE_NAME + 0.5, "Nothing found.", 10, SOFT)
    for position, hit in enumerate(hits):
        _draw_hit(axes, hit, x + position * (1 + GAP), y + LANE_NAME)


def _draw_hit(axes: Any, hit: Hit, x: float, y: float) -> None:
    _draw_image(axes, hit.tile.image, x, y, 1, RIGHT if hit.right else WRONG)
    _draw_mark(axes, hit.right, x + 0.74, y + 0.74)
    _draw_text(axes, x, y + 1.17, _shorten(hit.tile.name, 10), 8, INK)
    _draw_text(axes, x + 1, y + 1.17, f"d={hit.distance}", 8, SOFT, ha="right")


def _draw_image(
    axes: Any, image: Image, x: float, y: float, side: float, edge: str | None = None
) -> None:
    patches: Any = import_extra("matplotlib.patches", "plot")
    axes.add_patch(patches.Rectangle((x, y), side, side, facecolor=PHOTO, linewidth=0))
    rows, columns = image.shape[:2]
    scale = side / max(rows, columns)
    dx, dy = (side - columns * scale) / 2, (side - rows * scale) / 2
    axes.imshow(
        image,
        cmap="gray",
        vmin=0,
        vmax=255,
        interpolation="bicubic",
        extent=(x + dx, x + side - dx, y + side - dy, y + dy),
        aspect="auto",
        zorder=2,
    )
    if edge:
        frame = patches.Rectangle((x, y), side, side, fill=False, edgecolor=edge, linewidth=3)
        axes.add_patch(frame).set_zorder(3)


def _draw_mark(axes: Any, right: bool, x: float, y: float) -> None:
    """Draw a check or a cross in a square of 0.26: shapes, since fonts may lack the signs."""
    patches: Any = import_extra("matplotlib.patches", "plot")
    color = RIGHT if right else WRONG
    square = patches.Rectangle((x, y), 0.26, 0.26, facecolor=color, linewidth=0, zorder=4)
    axes.add_patch(square)
    strokes = (
        [((0.06, 0.11, 0.20), (0.14, 0.19, 0.07))]
        if right
        else [((0.07, 0.19), (0.07, 0.19)), ((0.07, 0.19), (0.19, 0.07))]
    )
    for xs, ys in strokes:
        axes.plot(
            [x + dx for dx in xs],
            [y + dy for dy in ys],
            color="white",
            linewidth=2.2,
            solid_capstyle="round",
            solid_joinstyle="round",
            zorder=5,
        )


def _draw_text(
    axes: Any, x: float, y: float, text: str, size: float, color: str, **options: Any
) -> Any:
    # parse_math is off: a class called "$x" is a name, not a formula.
    return axes.text(x, y, text, fontsize=size, color=color, parse_math=False, **options)


def _shorten(name: str, limit: int) -> str:
    return name if len(name) <= limit else name[: limit - 1] + "…"
