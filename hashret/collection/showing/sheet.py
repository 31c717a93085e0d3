"""Answers as one picture: queries at the left, results at the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...extras import import_extra
from .strips import Strip, Tile

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

__all__ = ["draw_sheet"]

_SIDE, _GAP, _TEXT = 200, 16, 44
_COLUMNS = 6
_PAPER, _INK, _SOFT, _FRAME = "#ffffff", "#16202c", "#5b6675", "#e9edf2"


def draw_sheet(strips: Sequence[Strip]) -> Image.Image:
    """Draw a contact sheet: of each query a row, of six results a line.

    Parameters
    ----------
    strips : sequence of Strip
    """
    pillow: Any = import_extra("PIL.Image", "images")
    draw: Any = import_extra("PIL.ImageDraw", "images")
    columns = max(1, min(_COLUMNS, max((len(strip.results) for strip in strips), default=1)))
    step = _SIDE + _GAP
    heights = [max(1, -(-len(strip.results) // columns)) * (step + _TEXT) for strip in strips]
    width = step * (columns + 1) + 3 * _GAP
    sheet: Image.Image = pillow.new(
        "RGB", (width, sum(heights) + 2 * _GAP * max(1, len(strips))), _PAPER
    )
    pen = draw.Draw(sheet)
    top = _GAP
    for strip, height in zip(strips, heights, strict=True):
        _draw_tile(sheet, pen, strip.query, _GAP, top)
        for place, tile in enumerate(strip.results):
            line, column = divmod(place, columns)
            left = step + 3 * _GAP + column * step
            _draw_tile(sheet, pen, tile, left, top + line * (step + _TEXT))
        top += height + _GAP
        pen.line((_GAP, top - _GAP, width - _GAP, top - _GAP), fill=_FRAME, width=2)
    return sheet


def _draw_tile(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, tile: Tile, left: int, top: int
) -> None:
    pillow: Any = import_extra("PIL.Image", "images")
    pen.rounded_rectangle((left, top, left + _SIDE, top + _SIDE), 10, fill=_FRAME)
    if tile.pixels is not None:
        picture = pillow.fromarray(tile.pixels)
        picture.thumbnail((_SIDE, _SIDE))
        sheet.paste(
            picture, (left + (_SIDE - picture.width) // 2, top + (_SIDE - picture.height) // 2)
        )
    for line, (text, colour) in enumerate(((tile.name, _INK), (tile.note, _SOFT))):
        place = left, top + _SIDE + 6 + 19 * line
        pen.text(place, _fitted(pen, text), fill=colour, font=_font())


def _fitted(pen: ImageDraw.ImageDraw, text: str) -> str:
    """Return as much of a text as there is room for."""
    text = text[:200]
    if pen.textlength(text, font=_font()) <= _SIDE:
        return text
    while text and pen.textlength(text + "…", font=_font()) > _SIDE:
        text = text[:-1]
    return text + "…"


def _font() -> Any:
    return import_extra("PIL.ImageFont", "images").load_default(14)
