"""Pictures of how many copies a radius finds, and of how many of those it finds are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hashret.evaluation.canvas import COLORS, INK, SOFT, frame, new_figure, save

__all__ = ["draw"]

# In per cent of the bits.
_MOST = 32.0
_DASHES = ("-", "--", "-.")
_PANELS = (
    ("re-encoded, resized, re-toned", "Re-encoded, resized or re-toned copies"),
    ("framed, captioned, on a screen", "Copies in a frame, with a caption, on a screen"),
)
# What is together in another row.
_TOGETHER = ("re-encoded, resized, re-toned", "framed, captioned, on a screen")


def draw(contenders: dict[str, Any], folder: Path, radius: int) -> None:
    """Write both pictures.

    Parameters
    ----------
    contenders : dict
        By name and kind of copies: precision and recall by radius, to half of the bits.
    folder : Path
    radius : int
        The one that is the default, of hashret's 256 bits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save(_beside_peers(contenders, radius), folder / "duplicates-peers.png")
    save(_by_kind(contenders["hashret"], radius), folder / "duplicates-kinds.png")


def _beside_peers(contenders: dict[str, Any], radius: int) -> Any:
    """Draw what share of copies a radius finds, and what share of its finds is right."""
    figure = new_figure(9.5, 6.6)
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    for column, (kind, title) in enumerate(_PANELS):
        for row, place in enumerate((1, 0)):
            axes = grid[row][column]
            for number, (who, kinds) in enumerate(contenders.items()):
                _line(axes, kinds[kind], place, number, who)
            axes.axvline(100 * radius / 256, color=SOFT, linewidth=1, linestyle=":")
            frame(axes, "" if row else title, "radius, % of the bits" if row else "", "")
            axes.set(xlim=(0, _MOST), ylim=(0, 1.03))
    grid[0][0].set_ylabel("of the copies, found")
    grid[1][0].set_ylabel("of what is found, right")
    words = f"hashret's default,\n{radius} of 256 bits"
    grid[0][0].text(100 * radius / 256 + 0.5, 0.04, words, fontsize=9, color=SOFT)
    lines, names = grid[0][0].get_legend_handles_labels()
    figure.tight_layout(w_pad=2.5, rect=(0, 0, 1, 0.94))
    figure.legend(lines, names, loc="upper center", ncols=len(names), frameon=False)
    return figure


def _line(axes: Any, curve: list[list[float]], place: int, number: int, who: str) -> None:
    """Draw recall or precision; where nothing is found, nothing is right or wrong."""
    points = [
        (50 * at / (len(curve[0]) - 1), pair[place])
        for at, pair in enumerate(zip(*curve, strict=True))
        if place or pair[1] > 0
    ]
    style = {"color": COLORS[number], "linestyle": _DASHES[number], "linewidth": 1.8}
    # A distance is a whole number.
    axes.plot(*zip(*points, strict=True), label=who, drawstyle="steps-post", **style)


def _by_kind(kinds: dict[str, Any], radius: int) -> Any:
    """Draw as a table what share of each kind of copies some radii find."""
    radii = sorted({*range(0, 65, 8), radius} - {32})
    own = radii.index(radius)
    names = [name for name in kinds if name not in _TOGETHER]
    names.sort(key=lambda name: [-kinds[name][1][at] for at in (radius, 16, 64)])
    figure = new_figure(8.5, 5)
    axes = figure.subplots()
    table = [[kinds[name][1][at] for at in radii] for name in names]
    axes.imshow(table, aspect="auto", cmap="Blues", vmin=0, vmax=1.15)
    for row, line in enumerate(table):
        for column, recall in enumerate(line):
            colour = "white" if recall > 0.7 else INK
            axes.text(column, row, f"{recall:.2f}", ha="center", va="center", color=colour)
    axes.axvspan(own - 0.5, own + 0.5, fill=False, edgecolor=COLORS[1], linewidth=2.5)
    frame(axes, "Of the copies of each kind, found by hashret", "radius, of 256 bits", "")
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(radii)), [f"{at}\ndefault" if at == radius else at for at in radii])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    figure.tight_layout()
    return figure
