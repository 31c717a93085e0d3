"""What can be asked of an image, and how SQL asks it.

Each kind of field takes a sign and a value to a condition on a row of ``images``, and to the
values of its marks. It is true or false, never NULL: what is not known fulfils nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .words import Word, refuse

__all__ = ["FIELDS", "Condition", "as_number", "condition_of"]

Condition = tuple[str, list[object]]

_UNITS = {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([kmgt]?)(?:(i?)b|p|px)?", re.IGNORECASE)
_TIME = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d(:\d\d(:\d\d)?)?)?)?)?", re.ASCII)
# By a list, for which the files are gone through once: looked up image by image they are all over
# the place. With a NULL in it, what is not in it would be neither true nor false.
_FILE = """images.content IN (SELECT files.content FROM files WHERE files.content IS NOT NULL
    AND files.state IN ('present', 'missing') AND {})"""
_PATH = "('/' || lower(CAST(files.path AS TEXT)))"
# What is left of a path without the characters at its end that are no slash.
_NAME = f"substr({_PATH}, 1 + length(rtrim({_PATH}, replace({_PATH}, '/', ''))))"
_FORMATS = {"jpg": "jpeg", "tif": "tiff", "heic": "heif"}


def as_number(text: str) -> float | None:
    """Return a number with a unit, such as ``1.5MB``, ``2GiB``, ``12MP`` or ``800``; else None.

    Examples
    --------
    >>> as_number("1.5MB"), as_number("2KiB"), as_number("12MP"), as_number("many")
    (1500000.0, 2048.0, 12000000.0, None)
    """
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return None
    power = "kmgt".find(found[2].lower()) + 1 if found[2] else 0
    return float(found[1]) * (1024**power if found[3] else _UNITS[found[2].lower()])


def condition_of(field: str, sign: Word, value: Word) -> Condition:
    """Return the condition of one comparison.

    Parameters
    ----------
    field : str
        A key of `FIELDS`, or ``metadata.KEY``.
    sign : Word
        Of =, <, <=, > and >=.
    value : Word
    """
    if field.startswith("metadata."):
        return _metadata(field.removeprefix("metadata."), sign, value)
    return FIELDS[field](sign, value)


def _taken(sign: Word, value: Word) -> Condition:
    if value.is_word("none"):
        _only_equal(sign)
        return "images.taken IS NULL", []
    if not _TIME.fullmatch(value.text):
        refuse("a time such as 2020, 2020-05 or 2020-05-17, or none", value)
    time = value.text.replace(" ", "T")
    # As much of the time as was given: <= 2020 means all of that year.
    return f"coalesce(substr(images.taken, 1, ?) {sign.text} ?, 0)", [len(time), time]


def _number(column: str) -> Callable[[Word, Word], Condition]:
    def ask(sign: Word, value: Word) -> Condition:
        return f"{column} {sign.text} ?", [_as_number(value)]

    return ask


def _size(sign: Word, value: Word) -> Condition:
    return _FILE.format(f"files.size {sign.text} ?"), [_as_number(value)]


def _format(sign: Word, value: Word) -> Condition:
    _only_equal(sign)
    name = value.text.lower().lstrip(".")
    return "lower(images.format) = ?", [_FORMATS.get(name, name)]


def _path(column: str, pattern: str) -> Callable[[Word, Word], Condition]:
    """Return how a glob is asked of the paths, or of a part of them, put into a pattern."""

    def ask(sign: Word, value: Word) -> Condition:
        _only_equal(sign)
        glob = pattern.format(_lower(value.text.strip("/")))
        return _FILE.format(f"{column} GLOB ?"), [glob]

    return ask


def _metadata(key: str, sign: Word, value: Word) -> Condition:
    row = """EXISTS (SELECT 1 FROM metadata WHERE metadata.content = images.content
        AND metadata.key = ? AND {})"""
    if sign.text == "=":
        return row.format("lower(metadata.value) GLOB ?"), [key, _lower(value.text)]
    test = f"metadata.value GLOB '*[0-9]*' AND CAST(metadata.value AS REAL) {sign.text} ?"
    return row.format(test), [key, _as_number(value)]


def _lower(text: str) -> str:
    """Return what SQLite's ``lower`` would: it knows the letters of ASCII."""
    return "".join(one.lower() if one.isascii() else one for one in text)


def _as_number(value: Word) -> float:
    number = None if value.kind == "quoted" else as_number(value.text)
    if number is None:
        refuse("a number such as 800, 1.5MB or 12MP", value)
    return number


def _only_equal(sign: Word) -> None:
    if sign.text != "=":
        refuse("= or != here", sign)


# By name: how it is asked.
FIELDS: dict[str, Callable[[Word, Word], Condition]] = {
    "taken": _taken,
    "folder": _path(_PATH, "*/{}/*"),
    "path": _path(_PATH, "/{}"),
    "name": _path(_NAME, "{}"),
    "width": _number("images.width"),
    "height": _number("images.height"),
    "pixels": _number("images.width * images.height"),
    "size": _size,
    "format": _format,
    "label": lambda sign, value: _metadata("label", sign, value),
}
