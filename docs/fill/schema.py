"""The tables of a catalogue, as SQLite has them."""

from __future__ import annotations

import sqlite3
from functools import cache

from hashret.collection.catalogue import schema

__all__ = ["table", "tables"]


@cache
def tables() -> dict[str, list[str]]:
    """Return the statements that make each table and its indexes, by the table's name."""
    connection = sqlite3.connect(":memory:")
    schema.create(connection)
    rows = connection.execute(
        "SELECT tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    )
    made: dict[str, list[str]] = {}
    for name, sql in rows:
        made.setdefault(name, []).append(sql)
    return made


def table(name: str) -> str:
    """Return the SQL of a table."""
    statements = "\n".join(f"{_dedented(sql)};" for sql in tables()[name])
    return f"```sql\n{statements}\n```"


def _dedented(sql: str) -> str:
    first, *others = sql.splitlines()
    return "\n".join([first, *(line.removeprefix("    ") for line in others)])
