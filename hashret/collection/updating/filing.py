"""Filing what was looked at: the row of a file, once its content is known."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..catalogue import GONE, TICK_NS, Catalogue

__all__ = ["Look", "file_content", "file_skipped", "looks_among"]

_COLUMNS = "size, mtime_ns, ctime_ns, device, inode, link"


class Look(NamedTuple):
    """A file that is looked at: a row of the table ``looks``."""

    id: int
    root: int
    path: bytes
    size: int
    mtime_ns: int
    ctime_ns: int
    device: int
    inode: int
    link: int
    own: int | None
    content: bytes | None
    done: int

    def racy(self, since_ns: int, until_ns: int) -> bool:
        """Return whether the file may change after these times and look the same."""
        return since_ns - TICK_NS <= self.mtime_ns <= until_ns + TICK_NS


def looks_among(catalogue: Catalogue, condition: str, after: int, most: int = 1000) -> list[Look]:
    """Return the next looks that are not done and fulfil a condition, by id."""
    rows = catalogue.execute(
        f"SELECT * FROM temp.looks WHERE id > ? AND NOT done AND {condition} ORDER BY id LIMIT ?",
        (after, most),
    )
    return [Look(*row) for row in rows]


def file_content(
    catalogue: Catalogue, look: Look, content: bytes, racy: bool
) -> tuple[str, tuple[int, bytes] | None]:
    """Note what a file holds, inside a transaction.

    If a file with these bytes is gone, this is it, renamed: so nothing that was moved is also
    missing, whenever the update was interrupted before.

    Returns
    -------
    what : {"same", "back", "new", "changed", "renamed"}
    before : (root, path) or None
        Of a renamed file.
    """
    own = _row(catalogue, "id, content, state", "root = ? AND path = ?", look.root, look.path)
    what, row = "new", None
    before: tuple[int, bytes] | None = None
    if own is not None and own[1] == content:
        what, row = "back" if own[2] == "missing" else "same", own[0]
    elif (gone := _gone(catalogue, content, look.inode)) is not None:
        if own is not None:
            catalogue.execute("DELETE FROM files WHERE id = ?", (own[0],))
        what, row, before = "renamed", gone[0], gone[1:]
    elif own is not None:
        what, row = "changed", own[0]
    values = (look.root, look.path, "present", None, content, *look[3:9], racy)
    _write(catalogue, row, values)
    _done(catalogue, look)
    return what, before


def file_skipped(
    catalogue: Catalogue, look: Look, state: str, reason: str, content: bytes | None, racy: bool
) -> None:
    """Note that a file is no readable image, inside a transaction: 'skipped', or 'other'."""
    own = _row(catalogue, "id", "root = ? AND path = ?", look.root, look.path)
    values = (look.root, look.path, state, reason, content, *look[3:9], racy)
    _write(catalogue, None if own is None else own[0], values)
    _done(catalogue, look)


def _row(
    catalogue: Catalogue, columns: str, condition: str, *values: object
) -> tuple[Any, ...] | None:
    query = f"SELECT {columns} FROM files WHERE {condition} LIMIT 1"
    row: tuple[Any, ...] | None = catalogue.execute(query, values).fetchone()
    return row


def _gone(catalogue: Catalogue, content: bytes, inode: int) -> tuple[Any, ...] | None:
    condition = "content = ? AND state = 'missing' AND reason = ? ORDER BY inode = ? DESC, id"
    return _row(catalogue, "id, root, path", condition, content, GONE, inode)


def _write(catalogue: Catalogue, row: int | None, values: tuple[object, ...]) -> None:
    names = f"root, path, state, reason, content, {_COLUMNS}, racy"
    marks = ", ".join("?" * len(values))
    if row is None:
        catalogue.execute(f"INSERT INTO files ({names}) VALUES ({marks})", values)
    else:
        catalogue.execute(f"UPDATE files SET ({names}) = ({marks}) WHERE id = ?", (*values, row))


def _done(catalogue: Catalogue, look: Look) -> None:
    catalogue.execute("UPDATE temp.looks SET done = 1 WHERE id = ?", (look.id,))
