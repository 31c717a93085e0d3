"""Retrieved images as one web page: no script, no other file, no network.

A :class:`Gallery` is what a reader sees: queries, and what each method found for
them. :func:`write_html` makes a page of it and
:func:`hashret.experiments.contact_sheet.write_png` a picture.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, import_extra
from ..evaluation.labels import share_a_label
from ..files import write_text

__all__ = ["Gallery", "Hit", "Method", "Tile", "collect_hits", "write_html"]

Image = npt.NDArray[np.uint8]

# Longest side of an embedded image: sharp on a screen of twice the usual density.
THUMBNAIL = 192


@dataclass(frozen=True)
class Tile:
    """An image, uint8 (h, w) or (h, w, 3), and the name of its class."""

    image: Image
    name: str


@dataclass(frozen=True)
class Hit:
    """A retrieved image, its Hamming distance, and whether it has the query's class."""

    tile: Tile
    distance: int
    right: bool


@dataclass(frozen=True)
class Method:
    """What one method found: a tuple of hits for each query of the gallery, best first."""

    name: str
    detail: str
    hits: tuple[tuple[Hit, ...], ...]


@dataclass(frozen=True)
class Gallery:
    """Queries, the methods' answers, and the words around them.

    Attributes
    ----------
    title, subtitle : str
    queries : tuple of Tile
    methods : tuple of Method
        Each with one tuple of hits a query.
    columns, rows : sequences of str
        The summary table.
    notes : tuple of str
        Paragraphs below the table: what the numbers mean.
    credits : str
        Whose images these are.
    """

    title: str
    subtitle: str
    queries: tuple[Tile, ...]
    methods: tuple[Method, ...]
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    credits: str = ""

    def __post_init__(self) -> None:
        for method in self.methods:
            if len(method.hits) != len(self.queries):
                raise ShapeError(
                    f"methods: expected {len(self.queries)} answers of {method.name}, "
                    f"one a query, got {len(method.hits)}"
                )


def collect_hits(
    images: Image,
    labels: npt.NDArray[np.int64],
    class_names: Sequence[str],
    distances: npt.NDArray[np.int32],
    ids: npt.NDArray[np.int64],
    query_labels: npt.NDArray[np.int64],
) -> tuple[tuple[Hit, ...], ...]:
    """Turn an index's answer into hits; missing neighbours (id -1) are left out.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        The database; an id is a row of it.
    labels : ndarray of int64, shape (n,)
        Positions in `class_names`; -1 is "no label", and matches nothing.
    class_names : sequence of str
    distances, ids : ndarray, shape (n_queries, k)
        As :meth:`hashret.Index.search` returns them.
    query_labels : ndarray of int64, shape (n_queries,)
    """
    return tuple(
        tuple(
            Hit(
                Tile(images[i], class_names[labels[i]] if labels[i] >= 0 else "no label"),
                int(d),
                bool(share_a_label(labels[i], wanted)),
            )
            for d, i in zip(row_distances, row_ids, strict=True)
            if i >= 0
        )
        for row_distances, row_ids, wanted in zip(distances, ids, query_labels, strict=True)
    )


def write_html(gallery: Gallery, path: str | Path) -> Path:
    """Write the gallery as one self-contained HTML page and return its path."""
    write_text(path, render_html(gallery))
    return Path(path)


def render_html(gallery: Gallery) -> str:
    """Return the page: style and images inside, every text escaped."""
    style = resources.files(__package__).joinpath("gallery.css").read_text(encoding="utf-8")
    cards = "\n".join(_card(gallery, number) for number in range(len(gallery.queries)))
    notes = "\n".join(f"<p>{escape(note)}</p>" for note in gallery.notes)
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
<p class="legend"><span class="right"><span class="mark">✓</span> same class as the query</span>
<span class="wrong"><span class="mark">✗</span> another class</span>
<span>d = Hamming distance to the query's code</span></p>
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


def _answer(method: Method, position: int, number: int) -> str:
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
