"""Rows of results: a file of them, one JSON object a line, that survives interruption."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ...errors import FormatError

__all__ = ["KEYS", "Row", "append_row", "find_row", "is_whole", "read_rows"]

Row = dict[str, Any]

# What every row has, in the order of tables.
KEYS = (
    "method",
    "protocol",
    "bits",
    "tables",
    "alpha",
    "seed",
    "map10_hits",
    "map10_mink",
    "map_all",
    "map_all_low",
    "map_all_high",
    "distinct_codes",
    "train_seconds",
    "query_microseconds",
)

# Rows are written with this key first, so that the beginning of one can be told from other files.
_START = '{"method": "'


def append_row(path: Path, row: Row) -> None:
    """Add a row at the end and see it on the disk.

    What an interrupted write left of a row stays as a line of its own, which
    :func:`read_rows` passes over.

    Parameters
    ----------
    path : Path
        Made, with its folder, if it is missing.
    row : dict
        What JSON can hold; its first key is ``"method"``.
    """
    line = json.dumps(row, ensure_ascii=False, allow_nan=False)
    if not line.startswith(_START):
        raise FormatError(f"row: expected the key 'method' first, got {line[:40]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        # One write in append mode: processes that share the file do not mix their rows.
        file.write((b"\n" if _is_torn(file) else b"") + line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _is_torn(file: BinaryIO) -> bool:
    if not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file, oldest first; none if there is no file.

    Raises
    ------
    FormatError
        If the file holds anything but rows and the beginnings of rows.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "results.jsonl"
    ...     append_row(path, {"method": "itq", "bits": 16})
    ...     _ = path.write_bytes(path.read_bytes() + b'{"method": "i')
    ...     append_row(path, {"method": "pca", "bits": 16})
    ...     [row["method"] for row in read_rows(path)]
    ['itq', 'pca']
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    rows = [_row(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1)]
    return [row for row in rows if row is not None]


def _row(line: bytes, where: str) -> Row | None:
    text = line.decode("utf-8", "replace")
    # An interrupt can leave any beginning of a row, of which the first letters are known.
    if text[: len(_START)] != _START[: len(text)]:
        raise FormatError(f"{where}: expected a result that begins {_START}, got {text[:40]!r}")
    try:
        row: Row = json.loads(text)
    except ValueError:
        return None
    return row


def is_whole(row: Row) -> bool:
    """Tell whether a row has all of :data:`KEYS`."""
    return row.keys() >= set(KEYS)


def find_row(fields: Row, rows: Sequence[Row]) -> Row | None:
    """Return the newest whole row that has these fields."""
    matches = (
        row
        for row in reversed(rows)
        if is_whole(row) and all(name in row and row[name] == fields[name] for name in fields)
    )
    return next(matches, None)
