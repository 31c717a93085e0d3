"""Retrieved images as one web page: no script, no other file, no network."""

from __future__ import annotations

import base64
import io
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ...extras import import_extra
from ...files import write_text
from .answers import Answers, Gallery, Hit, Image

__all__ = ["render_html", "write_html"]

# Longest side of an embedded image: sharp on a screen of twice the usual density.
THUMBNAIL = 192


def write_html(gallery: Gallery, path: str | Path) -> Path:
    """Write the gallery as one self-contained HTML page and return its path."""
    write_text(path, render_html(gallery))
    return Path(path)


def render_html(gallery: Gallery) -> str:
    """Return the page: style and images inside, every text escaped."""
    style = resources.files(__package__).joinpath("gallery.css").read_text(encoding="utf-8")
    cards = "\n".join(_card(gallery, number) for number in range(len(gallery.queries)))
    notes = "\n".join(f"<p>{escape(note)}</p>" for note in gallery.notes)
    right, wrong, distance = gallery.legend
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(gallery.title)}</title>
<style>
{style}{_view_rules(gallery)}</style>
</head>
<body>
<a class="skip" href="#results">Skip to the retrieved images</a>
<header>
<h1>{escape(gallery.title)}</h1>
<p class="lead">{escape(gallery.subtitle)}</p>
</header>
<main>
{_summary(gallery)}
<section class="notes">{notes}</section>
{_view_switch(gallery)}
<p class="legend"><span class="right"><span class="mark">✓</span> {escape(right)}</span>
<span class="wrong"><span class="mark">✗</span> {escape(wrong)}</span>
<span>{escape(distance, quote=False)}</span></p>
<section id="results" aria-label="Retrieved images">
{cards}
</section>
</main>
<footer><p>{escape(gallery.credits)}</p></footer>
</body>
</html>
"""


def _summary(gallery: Gallery) -> str:
    if not gallery.rows:
        return ""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in gallery.columns)
    body = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in gallery.rows
    )
    return f"""<section class="scroll" role="region" tabindex="0" aria-label="Summary, scrollable">
<table>
<caption>Summary</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</section>"""


def _view_switch(gallery: Gallery) -> str:
    """Return radio buttons that show one method or all: keyboards work, and no script runs."""
    if len(gallery.methods) < 2:
        return ""
    choices = ["Side by side", *(f"{method.name} only" for method in gallery.methods)]
    buttons = "\n".join(
        f'<label><input type="radio" name="view" id="view-{number}"'
        f"{' checked' if number == 0 else ''}><span>{escape(choice)}</span></label>"
        for number, choice in enumerate(choices)
    )
    return f"""<fieldset class="views">
<legend>Show</legend>
{buttons}
</fieldset>"""


def _view_rules(gallery: Gallery) -> str:
    numbers = range(1, len(gallery.methods) + 1)
    return "".join(
        f"body:has(#view-{shown}:checked) .method-{hidden} {{ display: none; }}\n"
        for shown in numbers
        for hidden in numbers
        if shown != hidden
    )


def _card(gallery: Gallery, number: int) -> str:
    query = gallery.queries[number]
    answers = "\n".join(
        _answer(method, position, number) for position, method in enumerate(gallery.methods, 1)
    )
    return f"""<article aria-labelledby="query-{number}">
<div class="query">
<img src="{_data_uri(query.image)}" alt="Query image: {escape(query.name)}">
<h2 id="query-{number}"><span>Query {number + 1}</span> {escape(query.name)}</h2>
</div>
<div class="answers">
{answers}
</div>
</article>"""


def _answer(method: Answers, position: int, number: int) -> str:
    hits = method.hits[number]
    right = sum(hit.right for hit in hits)
    items = "\n".join(map(_item, hits))
    found = f"<ol>\n{items}\n</ol>" if hits else '<p class="nothing">Nothing found.</p>'
    return f"""<section class="method-{position}">
<h3>{escape(method.name)} <small>{escape(method.detail)}</small>
<span class="score">{right} of {len(hits)} right</span></h3>
{found}
</section>"""


def _item(hit: Hit) -> str:
    kind, mark, word = ("right", "✓", "right") if hit.right else ("wrong", "✗", "wrong")
    name = escape(hit.tile.name)
    return (
        f'<li class="{kind}"><div class="frame">'
        f'<img src="{_data_uri(hit.tile.image)}" alt="{name}, {word}">'
        f'<span class="mark" aria-hidden="true">{mark}</span></div>'
        f'<span class="name" aria-hidden="true">{name}</span>'
        f'<span class="distance"><abbr title="Hamming distance">d</abbr> {hit.distance}</span></li>'
    )


def _data_uri(image: Image) -> str:
    pillow: Any = import_extra("PIL.Image", "images")
    picture = pillow.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
