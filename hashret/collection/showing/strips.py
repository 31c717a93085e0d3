"""What is shown of answers: a query and its results, each a small picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from ...images.reading import Read, read_files
from ...types import Images
from ..searching import Answer, Result

__all__ = ["Strip", "Tile", "strips_of"]


class Tile(NamedTuple):
    """A small picture with what is said of it.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (h, w, 3), or None
        None if the file cannot be read now, or is a text.
    name : str
        Of its file; what is no text in it is shown as it would be escaped.
    note : str
    path : str
        Absolute; empty for the query.
    """

    pixels: Images | None
    name: str
    note: str
    path: str


class Strip(NamedTuple):
    """A query and what was found for it."""

    query: Tile
    results: tuple[Tile, ...]


def strips_of(answers: Sequence[Answer], side: int) -> list[Strip]:
    """Return the pictures of answers, read again by processes of their own.

    Parameters
    ----------
    answers : sequence of Answer
    side : int
        Pixels of the longer side of each, at most.
    """
    requests: dict[int | bytes, bytes] = {}
    for answer in answers:
        if answer.query.pixels is not None and isinstance(answer.query.name, bytes):
            requests[answer.query.name] = os.path.abspath(answer.query.name)
        for result in answer.results:
            if result.file.state == "present":
                requests[result.image.id] = result.file.path
    pixels = {
        read.token: read.pixels
        for read in read_files(requests.items(), side=side)
        if isinstance(read, Read)
    }
    return [_strip(answer, pixels) for answer in answers]


def _strip(answer: Answer, pixels: dict[int | bytes, Images]) -> Strip:
    query = answer.query
    name = query.name
    if isinstance(name, int):
        own = next((one for one in answer.results if one.same), None)
        title = f"image {name}" if own is None else _shown(os.path.basename(own.file.path))
    else:
        title = _shown(os.path.basename(name)) if isinstance(name, bytes) else f"“{name}”"
    picture = pixels.get(name) if not isinstance(name, str) else None
    tile = Tile(picture, title, query.reason or "", "")
    return Strip(tile, tuple(_tile(result, pixels) for result in answer.results))


def _tile(result: Result, pixels: dict[int | bytes, Images]) -> Tile:
    path = result.file.path
    note = f"{result.distance:g} · id {result.image.id}"
    if result.same:
        note += " · the query"
    if result.file.state != "present":
        note += " · missing"
    return Tile(pixels.get(result.image.id), _shown(os.path.basename(path)), note, _shown(path))


def _shown(path: bytes) -> str:
    text = path.decode("utf-8", "backslashreplace")
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )
