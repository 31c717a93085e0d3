"""Answers as one web page: no script, no other file, no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from importlib import resources
from typing import Any

from ...extras import import_extra
from ...types import Images
from .strips import Strip, Tile

__all__ = ["render_page"]


def render_page(title: str, lead: str, strips: Sequence[Strip]) -> str:
    """Return the page, every text escaped.

    Parameters
    ----------
    title, lead : str
        The heading, and a sentence below it.
    strips : sequence of Strip
    """
    style = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    parts = "\n".join(_section(number, strip) for number, strip in enumerate(strips))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p>{escape(lead)}</p>
</header>
<main>
{parts}
</main>
</body>
</html>
"""


def _section(number: int, strip: Strip) -> str:
    items = "\n".join(_item(tile) for tile in strip.results)
    nothing = escape(strip.query.note) or "Nothing found."
    found = f"<ol>\n{items}\n</ol>" if strip.results else f'<p class="nothing">{nothing}</p>'
    image = _image(strip.query) if strip.query.pixels is not None else ""
    return f"""<section aria-labelledby="query-{number}">
<div class="query">
{image}<h2 id="query-{number}"><span>Query</span> {escape(strip.query.name)}</h2>
</div>
{found}
</section>"""


def _item(tile: Tile) -> str:
    name = escape(tile.name)
    return f"""<li title="{escape(tile.path)}">{_image(tile)}
<span class="name">{name}</span> <span class="note">{escape(tile.note)}</span></li>"""


def _image(tile: Tile) -> str:
    if tile.pixels is None:
        return '<div class="frame none">cannot be read now</div>'
    name = escape(tile.name)
    return f'<div class="frame"><img src="{_data_uri(tile.pixels)}" alt="{name}"></div>'


def _data_uri(pixels: Images) -> str:
    pillow: Any = import_extra("PIL.Image", "images")
    buffer = io.BytesIO()
    pillow.fromarray(pixels).save(buffer, format="JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
