"""Groups of duplicates in a table of its own, which is paged by key and can be deleted."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

__all__ = ["Cursor", "Entry", "GroupTable"]

_TABLES = (
    "CREATE TABLE groups (number INTEGER PRIMARY KEY, saved INTEGER NOT NULL, "
    "files INTEGER NOT NULL, decision INTEGER, body TEXT NOT NULL)",
    "CREATE INDEX open_groups ON groups (saved, number) WHERE decision IS NULL",
    "CREATE INDEX decided_groups ON groups (decision) WHERE decision IS NOT NULL",
    "CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
)

# What a page was ordered by, of its last group.
Cursor = tuple[int, int]


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
        Fit for JSON.
    """

    number: int
    saved: int
    files: int
    body: dict[str, Any]


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

    @staticmethod
    def _opened(path: str) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            # It is a cache: what a crash of the system loses is found again.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("SELECT number, saved, files, decision, body FROM groups LIMIT 0")
            connection.execute("SELECT key, value FROM facts LIMIT 0")
            return connection
        except sqlite3.Error:
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
        rows = [(one.number, one.saved, one.files, json.dumps(one.body)) for one in entries]
        statement = "INSERT INTO groups (number, saved, files, body) VALUES (?, ?, ?, ?)"
        with self._lock:
            self._connection.execute("BEGIN")
            # Which commits, or rolls back.
            with self._connection:
                self._connection.executemany(statement, rows)

    def page(self, limit: int, after: Cursor | None = None) -> list[Entry]:
        """Return open groups, those that free the most first.

        Parameters
        ----------
        limit : int
        after : Cursor, optional
            ``(saved, number)`` of the last group of the page before.
        """
        where, values = "", [limit]
        if after is not None:
            where, values = "AND (saved, number) < (?, ?)", [*after, limit]
        return self._entries(
            f"WHERE decision IS NULL {where} ORDER BY saved DESC, number DESC LIMIT ?", values
        )

    def one(self, number: int) -> Entry | None:
        """Return a group, decided or not."""
        return next(iter(self._entries("WHERE number = ?", [number])), None)

    def counts(self) -> tuple[int, int, int]:
        """Return how many groups are open, how many bytes they would free, and all groups."""
        with self._lock:
            row = self._connection.execute(
                "SELECT count(*), coalesce(sum(saved), 0) FROM groups WHERE decision IS NULL"
            ).fetchone()
            (known,) = self._connection.execute("SELECT count(*) FROM groups").fetchone()
        return int(row[0]), int(row[1]), int(known)

    def decide(self, number: int, decision: int) -> None:
        """Note by which decision a group is closed."""
        self._execute("UPDATE groups SET decision = ? WHERE number = ?", (decision, number))

    def reopen(self, decision: int) -> bool:
        """Open the groups again that a decision had closed; return whether there were any."""
        return self._execute("UPDATE groups SET decision = NULL WHERE decision = ?", (decision,))

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

    def _execute(self, statement: str, values: Any) -> bool:
        with self._lock:
            return self._connection.execute(statement, values).rowcount > 0

    def _entries(self, condition: str, values: list[int]) -> list[Entry]:
        with self._lock:
            rows = self._connection.execute(
                f"SELECT number, saved, files, body FROM groups {condition}", values
            ).fetchall()
        return [Entry._make((*row[:3], json.loads(row[3]))) for row in rows]
