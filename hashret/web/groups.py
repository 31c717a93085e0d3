"""Groups of duplicates in a table of its own, which is paged by key and can be deleted."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

__all__ = ["ALL", "Choice", "Cursor", "Entry", "GroupTable"]

# Of what is written in `body`; a table of another form is made anew.
_FORM = 1
_TABLES = (
    "CREATE TABLE groups (number INTEGER PRIMARY KEY, saved INTEGER NOT NULL, "
    "files INTEGER NOT NULL, tier TEXT NOT NULL, folders TEXT NOT NULL, mark INTEGER, "
    "body TEXT NOT NULL)",
    "CREATE INDEX open_groups ON groups (saved, number) WHERE mark IS NULL",
    "CREATE INDEX closed_groups ON groups (mark) WHERE mark IS NOT NULL",
    "CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    f"PRAGMA user_version = {_FORM}",
)

# What a page was ordered by, of its last group.
Cursor = tuple[int, int]
# No key of a collection.
_OUTDATED: list[int] = []
# The more a group of such files may be an error, the later.
_TIERS = ("byte-equal", "pixel-equal", "near")


class Choice(NamedTuple):
    """Which groups are wanted.

    Attributes
    ----------
    tier : str or None
        Only groups of which no file is less equal than this.
    folder : str or None
        Only groups with a file in a folder whose name, as it is shown, has this in it.
    """

    tier: str | None = None
    folder: str | None = None


ALL = Choice()


class Entry(NamedTuple):
    """A group as the page shows it.

    Attributes
    ----------
    number : int
        In the order in which groups are found: the best keepers first.
    saved : int
        Bytes of all but the keeper.
    files : int
    body : dict
        Fit for JSON. Of each file `root` and `path` tell it from all others; they are not shown.
    """

    number: int
    saved: int
    files: int
    body: dict[str, Any]

    @property
    def places(self) -> list[dict[str, Any]]:
        """All files, the keeper first."""
        return [self.body["keep"], *self.body["members"]]

    @property
    def images(self) -> list[int]:
        """Ids of the images, ascending."""
        return sorted({place["id"] for place in self.places})


class GroupTable:
    """A table of groups; several threads may read it while one fills it.

    Parameters
    ----------
    path : str
        Of a file; made if it is not there, or is none of ours.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection = self._opened(path)
        # For a state of the file; counting goes through all open groups.
        self._counted: tuple[object, dict[Choice, tuple[int, int, int]]] = (None, {})

    @staticmethod
    def _opened(path: str) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            # It is a cache: what a crash of the system loses is found again.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("SELECT tier, folders, mark, body FROM groups LIMIT 0")
            connection.execute("SELECT key, value FROM facts LIMIT 0")
            (form,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error:
            form = None
        if form == _FORM:
            return connection
        connection.close()
        for suffix in ("", "-journal"):
            if os.path.exists(path + suffix):
                os.remove(path + suffix)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA synchronous = OFF", *_TABLES):
            connection.execute(statement)
        return connection

    def add(self, entries: Iterable[Entry]) -> None:
        """Add groups, all of them or none."""
        self._write(entries)

    def replace(self, number: int, entries: list[Entry]) -> None:
        """Put others in the place of a group; what is more than one gets a new number."""
        last = self.counts()[2]
        numbers = [number, *range(last + 1, last + len(entries))]
        others = [one._replace(number=new) for one, new in zip(entries, numbers, strict=False)]
        self._write(others, without=[number])

    def page(self, limit: int, after: Cursor | None = None, choice: Choice = ALL) -> list[Entry]:
        """Return open groups, those that free the most first.

        Parameters
        ----------
        limit : int
        after : Cursor, optional
            ``(saved, number)`` of the last group of the page before.
        choice : Choice
        """
        condition, values = _condition(choice)
        if after is not None:
            condition, values = f"{condition} AND (saved, number) < (?, ?)", [*values, *after]
        return self._entries(
            f"WHERE {condition} ORDER BY saved DESC, number DESC LIMIT ?", [*values, limit]
        )

    def one(self, number: int) -> Entry | None:
        """Return a group, decided or not."""
        return next(iter(self._entries("WHERE number = ?", [number])), None)

    def counts(self, choice: Choice = ALL) -> tuple[int, int, int]:
        """Return how many groups are open, how many bytes they would free, and the last number."""
        with self._lock:
            (others,) = self._connection.execute("PRAGMA data_version").fetchone()
            state = others, self._connection.total_changes
            if self._counted[0] != state:
                self._counted = state, {}
            counts = self._counted[1]
            if choice not in counts:
                counts[choice] = self._count(choice)
            return counts[choice]

    def _count(self, choice: Choice) -> tuple[int, int, int]:
        condition, values = _condition(choice)
        opened, saved, known = self._connection.execute(
            "SELECT count(*), coalesce(sum(saved), 0), "
            "(SELECT coalesce(max(number), 0) FROM groups) "
            f"FROM groups WHERE {condition}",
            values,
        ).fetchone()
        return opened, saved, known

    def close_groups(self, numbers: Iterable[int], mark: int) -> None:
        """Close groups, all under a mark."""
        statement = "UPDATE groups SET mark = ? WHERE number = ?"
        with self._lock:
            self._connection.execute("BEGIN")
            with self._connection:
                self._connection.executemany(statement, [(mark, number) for number in numbers])

    def reopen(self, mark: int, count: int) -> bool:
        """Open the groups again that were closed under a mark.

        Returns
        -------
        whole : bool
            Whether they were so many. If not, as of decisions that were made before this table,
            it is told to be made anew.
        """
        whole = self._execute("UPDATE groups SET mark = NULL WHERE mark = ?", (mark,)) == count
        if not whole:
            self.outdate()
        return whole

    def outdate(self) -> None:
        """Let the table be made anew."""
        self.note("key", _OUTDATED)

    def note(self, key: str, value: Any) -> None:
        """Remember a fact about the table, fit for JSON."""
        self._execute("REPLACE INTO facts VALUES (?, ?)", (key, json.dumps(value)))

    def fact(self, key: str) -> Any:
        """Return a fact, None if it is not known."""
        with self._lock:
            row = self._connection.execute(
                "SELECT value FROM facts WHERE key = ?", (key,)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _write(self, entries: Iterable[Entry], without: Iterable[int] = ()) -> None:
        rows = [
            (one.number, one.saved, one.files, *_sought(one), json.dumps(one.body))
            for one in entries
        ]
        columns = "number, saved, files, tier, folders, body"
        statement = f"INSERT INTO groups ({columns}) VALUES (?, ?, ?, ?, ?, ?)"
        with self._lock:
            self._connection.execute("BEGIN")
            # Which commits, or rolls back.
            with self._connection:
                gone = [(number,) for number in without]
                self._connection.executemany("DELETE FROM groups WHERE number = ?", gone)
                self._connection.executemany(statement, rows)

    def _execute(self, statement: str, values: Any) -> int:
        with self._lock:
            return self._connection.execute(statement, values).rowcount

    def _entries(self, condition: str, values: list[Any]) -> list[Entry]:
        with self._lock:
            rows = self._connection.execute(
                f"SELECT number, saved, files, body FROM groups {condition}", values
            ).fetchall()
        return [Entry._make((*row[:3], json.loads(row[3]))) for row in rows]


def _sought(entry: Entry) -> tuple[str, str]:
    """Return what :class:`Choice` is about: the least equal tier, and the folders."""
    tiers = {member["tier"] for member in entry.body["members"]}
    least = max(tiers, key=lambda tier: _TIERS.index(tier) if tier in _TIERS else len(_TIERS))
    return least, "\n".join(sorted({place["folder"] for place in entry.places}))


def _condition(choice: Choice) -> tuple[str, list[Any]]:
    parts = ["mark IS NULL"]
    values: list[Any] = []
    if choice.tier is not None:
        tiers = _TIERS[: _TIERS.index(choice.tier) + 1]
        parts.append(f"tier IN ({', '.join('?' * len(tiers))})")
        values += tiers
    if choice.folder:
        parts.append("instr(lower(folders), lower(?)) > 0")
        values.append(choice.folder)
    return " AND ".join(parts), values
