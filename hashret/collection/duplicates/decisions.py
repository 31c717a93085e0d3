"""What a person said of images, kept by their content for ever."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ...errors import ParameterError
from ..catalogue import Catalogue

__all__ = [
    "Decided",
    "Decisions",
    "decide",
    "decide_each",
    "decided",
    "decisions_of",
    "time_of",
    "withdraw",
]

_LEAST = {"not duplicates": 2, "keep": 1, "prefer": 1}


class Decisions(NamedTuple):
    """What was decided.

    Attributes
    ----------
    apart : dict of int to set of int
        From an image to the decisions by which it is no duplicate of others with the same one.
    kept : set of int
        Images of which no file goes.
    preferred : dict of int to int
        Images that stay where one of several does, with when that was last said.
    """

    apart: dict[int, set[int]]
    kept: set[int]
    preferred: dict[int, int]

    def keeps_apart(self, one: int, other: int) -> bool:
        """Return whether two images were said to be no duplicates of each other."""
        mine = self.apart.get(one)
        return mine is not None and not mine.isdisjoint(self.apart.get(other, ()))


def decide(catalogue: Catalogue, kind: str, images: Sequence[int]) -> int:
    """Remember that images are no duplicates of each other, all stay, or are better than others.

    By their content: it holds whatever becomes of the files, and when they come back.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    kind : {"not duplicates", "keep", "prefer"}
        Of ``"prefer"`` what was said last counts most.
    images : sequence of int
        At least two that are no duplicates, or one.

    Returns
    -------
    decision : int

    Raises
    ------
    ParameterError
        If one is no image of the collection; nothing is remembered then.
    """
    (last,) = catalogue.execute("SELECT coalesce(max(time_ns), 0) FROM decisions").fetchone()
    # A clock may stand still, and those of one time are one.
    (decision,) = decide_each(catalogue, kind, [images], max(time.time_ns(), last + 1))
    return decision


def decide_each(
    catalogue: Catalogue, kind: str, groups: Iterable[Sequence[int]], time_ns: int
) -> list[int]:
    """Decide on several groups of images as :func:`decide` does, on all of them or none.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    kind : {"not duplicates", "keep", "prefer"}
    groups : iterable of sequence of int
    time_ns : int
        When, in nanoseconds since 1970. Decisions of one time are taken back together, so that
        what is decided by several calls can be one.

    Returns
    -------
    decisions : list of int

    Raises
    ------
    ParameterError
    """
    with catalogue.transaction():
        return [_decide(catalogue, kind, images, time_ns) for images in groups]


def _decide(catalogue: Catalogue, kind: str, images: Sequence[int], time_ns: int) -> int:
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
    ((decision,),) = catalogue.execute(
        "INSERT INTO decisions (kind, time_ns) VALUES (?, ?) RETURNING id", (kind, time_ns)
    ).fetchall()
    catalogue.executemany(
        "INSERT INTO decided (decision, content) VALUES (?, ?)",
        [(decision, content) for _, content in rows],
    )
    return int(decision)


class Decided(NamedTuple):
    """A decision, or several that were made together.

    Attributes
    ----------
    id : int
        Of the latest of them.
    kind : {"not duplicates", "keep", "prefer"}
    time_ns : int
        When they were made, in nanoseconds since 1970.
    size : int
        How many they are.
    images : tuple of int
        Those of the latest that the collection has now, ascending.
    """

    id: int
    kind: str
    time_ns: int
    size: int
    images: tuple[int, ...]


def decided(catalogue: Catalogue, limit: int, before: int | None = None) -> list[Decided]:
    """Return decisions, the latest first; those of one time are one.

    Parameters
    ----------
    catalogue : Catalogue
    limit : int
        At most so many.
    before : int, optional
        Only those that were made before the one with this id.
    """
    rows = catalogue.execute(
        "SELECT max(id) AS last, kind, time_ns, count(*) FROM decisions "
        "GROUP BY time_ns HAVING last < ? ORDER BY last DESC LIMIT ?",
        (2**63 - 1 if before is None else before, limit),
    ).fetchall()
    query = """SELECT images.id FROM decided JOIN images USING (content)
        WHERE decision = ? ORDER BY images.id"""
    return [
        Decided._make((*row, tuple(image for (image,) in catalogue.execute(query, row[:1]))))
        for row in rows
    ]


def withdraw(catalogue: Catalogue, time_ns: int) -> int:
    """Take back all decisions that were made at a time; return how many they were."""
    with catalogue.transaction():
        rows = catalogue.execute("DELETE FROM decisions WHERE time_ns = ?", (time_ns,))
        return int(rows.rowcount)


def time_of(catalogue: Catalogue, decision: int) -> int | None:
    """Return when a decision was made, in nanoseconds since 1970; None if there is none."""
    row = catalogue.execute("SELECT time_ns FROM decisions WHERE id = ?", (decision,)).fetchone()
    return None if row is None else int(row[0])


def decisions_of(catalogue: Catalogue) -> Decisions:
    """Return what was decided of the images that the collection has now."""
    found = Decisions({}, set(), {})
    for image, decision, kind, time_ns in catalogue.execute(
        "SELECT images.id, decision, kind, time_ns FROM decided "
        "JOIN decisions ON decisions.id = decision JOIN images USING (content) ORDER BY time_ns"
    ):
        if kind == "keep":
            found.kept.add(image)
        elif kind == "prefer":
            found.preferred[image] = time_ns
        else:
            found.apart.setdefault(image, set()).add(decision)
    return found
