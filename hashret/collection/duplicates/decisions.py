"""What a person said of images, kept by their content for ever."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import NamedTuple

from ...errors import ParameterError
from ..catalogue import Catalogue

__all__ = ["Decided", "Decisions", "decide", "decided", "decisions_of", "withdraw"]

_LEAST = {"not duplicates": 2, "keep": 1}


class Decisions(NamedTuple):
    """What was decided.

    Attributes
    ----------
    apart : dict of int to set of int
        From an image to the decisions by which it is no duplicate of others with the same one.
    kept : set of int
        Images of which no file goes.
    """

    apart: dict[int, set[int]]
    kept: set[int]

    def keeps_apart(self, one: int, other: int) -> bool:
        """Return whether two images were said to be no duplicates of each other."""
        mine = self.apart.get(one)
        return mine is not None and not mine.isdisjoint(self.apart.get(other, ()))


def decide(catalogue: Catalogue, kind: str, images: Sequence[int]) -> int:
    """Remember that images are no duplicates of each other, or that all their files are kept.

    By their content: it holds whatever becomes of the files, and when they come back.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    kind : {"not duplicates", "keep"}
    images : sequence of int
        At least two, or one that is to be kept.

    Returns
    -------
    decision : int

    Raises
    ------
    ParameterError
        If one is no image of the collection; nothing is remembered then.
    """
    if kind not in _LEAST:
        raise ParameterError(f"kind: expected {' or '.join(_LEAST)}, got {kind!r}")
    wanted = sorted(set(images))
    if len(wanted) < _LEAST[kind]:
        raise ParameterError(f"{kind}: expected {_LEAST[kind]} images or more, got {len(wanted)}")
    rows = catalogue.execute(
        "SELECT id, content FROM images WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(wanted),),
    ).fetchall()
    unknown = set(wanted) - {row for row, _ in rows}
    if unknown:
        raise ParameterError(f"{kind}: no image of the collection: {sorted(unknown)[0]}")
    with catalogue.transaction():
        ((decision,),) = catalogue.execute(
            "INSERT INTO decisions (kind, time_ns) VALUES (?, ?) RETURNING id",
            (kind, time.time_ns()),
        ).fetchall()
        catalogue.executemany(
            "INSERT INTO decided (decision, content) VALUES (?, ?)",
            [(decision, content) for _, content in rows],
        )
    return int(decision)


class Decided(NamedTuple):
    """A decision.

    Attributes
    ----------
    id : int
    kind : {"not duplicates", "keep"}
    time_ns : int
        When it was made, in nanoseconds since 1970.
    images : tuple of int
        Those that the collection has now, ascending.
    """

    id: int
    kind: str
    time_ns: int
    images: tuple[int, ...]


def decided(catalogue: Catalogue, limit: int, before: int | None = None) -> list[Decided]:
    """Return decisions, the latest first.

    Parameters
    ----------
    catalogue : Catalogue
    limit : int
        At most so many.
    before : int, optional
        Only those with smaller ids.
    """
    rows = catalogue.execute(
        "SELECT id, kind, time_ns FROM decisions WHERE id < ? ORDER BY id DESC LIMIT ?",
        (2**63 - 1 if before is None else before, limit),
    ).fetchall()
    query = """SELECT images.id FROM decided JOIN images USING (content)
        WHERE decision = ? ORDER BY images.id"""
    return [
        Decided._make((*row, tuple(image for (image,) in catalogue.execute(query, row[:1]))))
        for row in rows
    ]


def withdraw(catalogue: Catalogue, decision: int) -> bool:
    """Take a decision back; return whether there was one."""
    statement = "DELETE FROM decisions WHERE id = ?"
    with catalogue.transaction():
        return catalogue.execute(statement, (decision,)).rowcount > 0


def decisions_of(catalogue: Catalogue) -> Decisions:
    """Return what was decided of the images that the collection has now."""
    found = Decisions({}, set())
    for image, decision, kind in catalogue.execute(
        "SELECT images.id, decision, kind FROM decided JOIN decisions ON decisions.id = decision "
        "JOIN images USING (content)"
    ):
        if kind == "keep":
            found.kept.add(image)
        else:
            found.apart.setdefault(image, set()).add(decision)
    return found
