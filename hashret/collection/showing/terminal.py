"""Pictures in the terminal: by its own protocol where it has one, else as coloured blocks.

A terminal is known by what it sets in the environment: asking it would take its answer from the
user's typing.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...extras import import_extra
from .strips import Strip

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["graphics_of", "render_terminal"]

_SIDE, _GAP = 160, 8
# Of a cell, about; and how many cells a picture takes in blocks.
_CELL = 10
_BLOCKS = 18
_CHUNK = 4096
_ITERM = frozenset({"iTerm.app", "WezTerm", "mintty", "rio", "Tabby"})


def graphics_of(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return how the terminal shows pictures: "kitty", "iterm", or None.

    Inside tmux and screen it does not, whatever is around them.
    """
    if "TMUX" in environment or environment.get("TERM", "").startswith(("screen", "tmux")):
        return None
    program = environment.get("TERM_PROGRAM", "")
    if "KITTY_WINDOW_ID" in environment or "kitty" in environment.get("TERM", ""):
        return "kitty"
    if program == "ghostty" or "ghostty" in environment.get("TERM", ""):
        return "kitty"
    if program in _ITERM or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm"
    return None


def render_terminal(strip: Strip, graphics: str | None, columns: int) -> str:
    """Return the results of a strip side by side, as text that a terminal shows as a picture.

    Parameters
    ----------
    strip : Strip
    graphics : {"kitty", "iterm", None}
        None: half blocks in colour.
    columns : int
        Of the terminal; as many results as there is room for.
    """
    if graphics is None:
        most, side, gap = max(1, columns // (_BLOCKS + 1)), _BLOCKS, 1
    else:
        most, side, gap = max(1, columns * _CELL // (_SIDE + _GAP)), _SIDE, _GAP
    pictures = [tile.pixels for tile in strip.results[:most]]
    if not any(pixels is not None for pixels in pictures):
        return ""
    pillow: Any = import_extra("PIL.Image", "images")
    row = pillow.new("RGBA", (len(pictures) * (side + gap) - gap, side), (0, 0, 0, 0))
    for place, pixels in enumerate(pictures):
        if pixels is not None:
            picture = pillow.fromarray(pixels)
            picture.thumbnail((side, side))
            row.paste(picture, (place * (side + gap), (side - picture.height) // 2))
    return _WAYS[graphics](row)


def _kitty(image: Image.Image) -> str:
    data = base64.b64encode(_png(image)).decode("ascii")
    chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    parts = []
    for number, chunk in enumerate(chunks):
        control = "a=T,f=100,q=2," if number == 0 else ""
        parts.append(f"\033_G{control}m={int(number < len(chunks) - 1)};{chunk}\033\\")
    return "".join(parts) + "\n"


def _iterm(image: Image.Image) -> str:
    data = _png(image)
    encoded = base64.b64encode(data).decode("ascii")
    return f"\033]1337;File=inline=1;size={len(data)}:{encoded}\a\n"


def _blocks(image: Image.Image) -> str:
    """Draw two pixels in each cell: the upper half of a block in one colour, over the other."""
    lines = []
    for y in range(0, image.height, 2):
        cells = []
        for x in range(image.width):
            upper: Any = image.getpixel((x, y))
            lower: Any = image.getpixel((x, y + 1)) if y + 1 < image.height else (0, 0, 0, 0)
            cells.append(_cell(upper, lower))
        lines.append("".join(cells) + "\033[0m")
    return "\n".join(lines) + "\n"


def _cell(upper: tuple[int, ...], lower: tuple[int, ...]) -> str:
    if not upper[3] and not lower[3]:
        return "\033[0m "
    if not upper[3]:
        return "\033[0;38;2;{};{};{}m▄".format(*lower)
    if not lower[3]:
        return "\033[0;38;2;{};{};{}m▀".format(*upper)
    return "\033[38;2;{};{};{};48;2;{};{};{}m▀".format(*upper[:3], *lower[:3])


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


_WAYS: dict[str | None, Callable[[Any], str]] = {
    "kitty": _kitty,
    "iterm": _iterm,
    None: _blocks,
}
