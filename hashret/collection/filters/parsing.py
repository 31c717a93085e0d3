"""The words of a filter as one condition of SQL."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...types import Ids
from ..catalogue import Catalogue
from .fields import FIELDS, Condition, condition_of
from .words import Word, refuse, split

__all__ = ["Filter", "matching", "parse_filter"]

# SQLite takes expressions a thousand deep, and each of these is a few.
_MOST = 100
_SIGNS = ("=", "==", "!=", "<", "<=", ">", ">=")


class Filter(NamedTuple):
    """A condition on rows of the table ``images``.

    Attributes
    ----------
    condition : str
        Of SQL, with marks.
    values : list
        Of the marks.
    """

    condition: str
    values: list[object]


def parse_filter(text: str) -> Filter:
    """Compile a filter such as ``taken >= 2020 and (width > 3000 or not folder = "Italy")``.

    Parameters
    ----------
    text : str
        Comparisons joined by ``and``, ``or``, ``not`` and brackets. Fields are those of `FIELDS`
        and ``metadata.KEY``; ``in (a, b)`` means one of several.

    Raises
    ------
    ParameterError
        If it is none; names the word and its place.

    Examples
    --------
    >>> parse_filter("width >= 1k and not height < 800").values
    [1000.0, 800.0]
    """
    parser = _Parser(split(text))
    condition, values = parser.alternatives()
    if parser.word.kind != "end":
        refuse("and, or, or the end", parser.word)
    return Filter(condition, values)


def matching(catalogue: Catalogue, filter: Filter) -> Ids:
    """Return the ids of the images that fulfil a filter, ascending: int64, shape (n,)."""
    query = f"SELECT id FROM images WHERE {filter.condition} ORDER BY id"
    rows = catalogue.execute(query, filter.values)
    return np.fromiter((row for (row,) in rows), np.int64)


class _Parser:
    """Reads the words from left to right, a method for each rule of the grammar."""

    def __init__(self, words: list[Word]) -> None:
        self._words = iter(words)
        self.word = next(self._words)
        self._depth = self._count = 0

    def alternatives(self) -> Condition:
        return self._joined("or", lambda: self._joined("and", self._factor))

    def _joined(self, keyword: str, part: Callable[[], Condition]) -> Condition:
        conditions = [part()]
        while self._take(keyword):
            conditions.append(part())
        return _join(keyword.upper(), conditions)

    def _factor(self) -> Condition:
        self._depth += 1
        if self._depth > _MOST:
            refuse(f"at most {_MOST} levels", self.word)
        if self._take("not"):
            condition, values = self._factor()
            found = f"NOT ({condition})", values
        elif self._take("("):
            found = self.alternatives()
            if not self._take(")"):
                refuse("and, or, or )", self.word)
        else:
            found = self._comparison()
        self._depth -= 1
        return found

    def _comparison(self) -> Condition:
        field = self._field()
        sign = self._next()
        if sign.is_word("in"):
            return self._one_of(field)
        if not sign.is_word(*_SIGNS):
            refuse(f"one of {' '.join(_SIGNS)}, or in", sign)
        value = self._value()
        if sign.text == "!=":
            condition, values = self._asked(field, "=", sign, value)
            return f"NOT ({condition})", values
        return self._asked(field, sign.text.replace("==", "="), sign, value)

    def _one_of(self, field: str) -> Condition:
        if not self._take("("):
            refuse("( and values", self.word)
        conditions = [self._asked(field, "=", self.word, self._value())]
        while self._take(","):
            conditions.append(self._asked(field, "=", self.word, self._value()))
        if not self._take(")"):
            refuse(", or )", self.word)
        return _join("OR", conditions)

    def _asked(self, field: str, text: str, sign: Word, value: Word) -> Condition:
        self._count += 1
        if self._count > _MOST:
            refuse(f"at most {_MOST} comparisons", value)
        return condition_of(field, sign._replace(text=text, kind="sign"), value)

    def _field(self) -> str:
        word = self._next()
        name = word.text.lower()
        if word.kind == "bare" and name.startswith("metadata.") and len(name) > len("metadata."):
            return "metadata." + word.text[len("metadata.") :]
        if word.kind != "bare" or name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, 1)
            known = f"{near[0]}, perhaps, of" if near else "one of"
            refuse(f"{known} {', '.join(FIELDS)} and metadata.KEY", word)
        return name

    def _value(self) -> Word:
        word = self._next()
        if word.kind not in ("bare", "quoted"):
            refuse("a value", word)
        return word

    def _take(self, text: str) -> bool:
        """Step over the next word if it is this one."""
        if not self.word.is_word(text):
            return False
        self._next()
        return True

    def _next(self) -> Word:
        word = self.word
        if word.kind != "end":
            self.word = next(self._words)
        return word


def _join(keyword: str, conditions: list[Condition]) -> Condition:
    if len(conditions) == 1:
        return conditions[0]
    text = f" {keyword} ".join(f"({condition})" for condition, _ in conditions)
    return text, [value for _, values in conditions for value in values]
