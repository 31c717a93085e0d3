"""Results of a search as pictures.

================= ================================================================
``strips.py``     what is shown: a query and its results, each a small picture
``page.py``       one web page that needs no other file
``sheet.py``      one picture, for printing or sending
``terminal.py``   pictures in the terminal
================= ================================================================
"""

from __future__ import annotations

from .page import render_page
from .sheet import draw_sheet
from .strips import Strip, Tile, strips_of
from .terminal import graphics_of, render_terminal

__all__ = [
    "Strip",
    "Tile",
    "draw_sheet",
    "graphics_of",
    "render_page",
    "render_terminal",
    "strips_of",
]
