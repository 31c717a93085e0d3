"""The text of a filter cut into words."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from ...errors import ParameterError

__all__ = ["Word", "refuse", "split"]

# Longer patterns than that SQLite refuses.
_LONGEST = 20_000
_WORD = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"]|"")*"|'(?:[^']|'')*')
      | (?P<sign>[<>]=?|!=|==?|[(),])
      | (?P<bare>[^\s"'<>!=(),]+)
    )""",
    re.VERBOSE,
)


class Word(NamedTuple):
    """A word of a filter.

    Attributes
    ----------
    text : str
        Without its quotes.
    kind : {"quoted", "sign", "bare", "end"}
    place : int
        Of its first character, from 0.
    """

    text: str
    kind: str
    place: int

    def is_word(self, *texts: str) -> bool:
        """Return whether it is one of these keywords or signs, and not in quotes."""
        return self.kind != "quoted" and self.text.lower() in texts


def split(text: str) -> list[Word]:
    """Return the words of a filter, and one of kind "end" behind them."""
    if len(text) > _LONGEST:
        raise ParameterError(f"where: expected at most {_LONGEST} characters, got {len(text)}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        bad = text[error.start]
        raise ParameterError(f"where: expected UTF-8, got {bad!a} at {error.start + 1}") from None
    words, place = [], 0
    while found := _WORD.match(text, place):
        kind = str(found.lastgroup)
        word = found[kind]
        if kind == "quoted":
            word = word[1:-1].replace(word[0] * 2, word[0])
        words.append(Word(word, kind, found.start(kind)))
        place = found.end()
    if rest := text[place:].strip():
        place = text.index(rest, place)
        what = "the end of the quotes" if rest[0] in "\"'" else "a word"
        refuse(what, Word(rest, "bare", place))
    return [*words, Word("", "end", len(text))]


def refuse(expected: str, word: Word) -> NoReturn:
    """Raise what tells where a filter is wrong."""
    got = "the end" if word.kind == "end" else f"{word.text!r} at character {word.place + 1}"
    raise ParameterError(f"where: expected {expected}, got {got}")
