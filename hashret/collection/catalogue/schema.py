"""The tables of a catalogue.

An *image* is the bytes of a file; a *file* is a place where such bytes lie. Paths are bytes,
relative to their root. Times are nanoseconds since 1970.
"""

from __future__ import annotations

import sqlite3
import time

from ...errors import FormatError

__all__ = ["VERSION", "check", "create"]

VERSION = 1
# "hrct": tells a catalogue from another program's SQLite file.
APPLICATION_ID = 0x68726374

_TABLES = (
    # `path` is absolute, or relative to the store where the store lies in the root.
    """CREATE TABLE roots (
        id INTEGER PRIMARY KEY,
        path BLOB NOT NULL UNIQUE
    )""",
    # 'skipped' is what should be a picture and cannot be read as one; 'other', what is none, or
    # belongs to the photograph that its reason names.
    # The numbers are those that the file had when its content was looked at. `ctime_ns` tells
    # when a skipped file has become readable; `racy`, that it may have changed unnoticed since.
    # A missing file's reason says whether it is gone, or out of reach with its folder.
    """CREATE TABLE files (
        id INTEGER PRIMARY KEY,
        root INTEGER NOT NULL REFERENCES roots,
        path BLOB NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('present', 'missing', 'skipped', 'other')),
        reason TEXT,
        content BLOB CHECK (length(content) = 32),
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        ctime_ns INTEGER NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        racy INTEGER NOT NULL,
        link INTEGER NOT NULL,
        UNIQUE (root, path),
        CHECK (state != 'present' OR content IS NOT NULL),
        CHECK (state = 'present' OR reason IS NOT NULL)
    )""",
    "CREATE INDEX files_content ON files (content)",
    "CREATE INDEX files_inode ON files (inode, size)",
    "CREATE INDEX files_size ON files (size, mtime_ns)",
    "CREATE INDEX files_state ON files (state) WHERE state != 'present'",
    # AUTOINCREMENT: the id of a forgotten image is never given again.
    """CREATE TABLE images (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        content BLOB NOT NULL UNIQUE CHECK (length(content) = 32),
        format TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        taken TEXT
    )""",
    # Of one name, one is active: its codes answer. Another is one whose codes are still made, and
    # which takes its place when all are there. `settings` is JSON, of what makes it again.
    """CREATE TABLE encoders (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        bits INTEGER NOT NULL,
        settings TEXT NOT NULL,
        active INTEGER NOT NULL,
        UNIQUE (name, fingerprint)
    )""",
    "CREATE UNIQUE INDEX encoders_active ON encoders (name) WHERE active",
    """CREATE TABLE codes (
        encoder INTEGER NOT NULL REFERENCES encoders,
        image INTEGER NOT NULL REFERENCES images,
        code BLOB NOT NULL,
        quality REAL,
        generation INTEGER NOT NULL,
        PRIMARY KEY (encoder, image)
    ) WITHOUT ROWID""",
    "CREATE INDEX codes_generation ON codes (encoder, generation)",
    # AUTOINCREMENT: who takes back one that is gone takes back no later one.
    """CREATE TABLE decisions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ('not duplicates', 'keep', 'prefer')),
        time_ns INTEGER NOT NULL
    )""",
    """CREATE TABLE decided (
        decision INTEGER NOT NULL REFERENCES decisions ON DELETE CASCADE,
        content BLOB NOT NULL CHECK (length(content) = 32),
        PRIMARY KEY (decision, content)
    ) WITHOUT ROWID""",
    "CREATE INDEX decided_content ON decided (content)",
    # Written before a file is moved; `batch` is what one command did, and undo reverses. A
    # photograph and its companions are a `unit`. `target` is in the quarantine, or the file that
    # it becomes a link to; under the store if it has no root. `file_state` and
    # `file_reason` are what the catalogue knew of the file.
    """CREATE TABLE operations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        batch INTEGER NOT NULL,
        unit INTEGER NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('quarantine', 'hard link')),
        state TEXT NOT NULL CHECK (state IN ('planned', 'done', 'undoing', 'undone')),
        root INTEGER NOT NULL REFERENCES roots,
        path BLOB NOT NULL,
        target_root INTEGER REFERENCES roots,
        target BLOB NOT NULL,
        content BLOB CHECK (length(content) = 32),
        file_state TEXT,
        file_reason TEXT,
        mode INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        time_ns INTEGER NOT NULL
    )""",
    "CREATE INDEX operations_batch ON operations (batch, unit)",
    "CREATE INDEX operations_open ON operations (state) WHERE state IN ('planned', 'undoing')",
    """CREATE TABLE metadata (
        content BLOB NOT NULL CHECK (length(content) = 32),
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (content, key)
    ) WITHOUT ROWID""",
    # Hashes that came from elsewhere, of images that need not be here, under a name.
    """CREATE TABLE lists (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        bits INTEGER NOT NULL
    )""",
    """CREATE TABLE listed (
        list INTEGER NOT NULL REFERENCES lists ON DELETE CASCADE,
        line INTEGER NOT NULL,
        code BLOB NOT NULL,
        quality REAL,
        name TEXT NOT NULL,
        PRIMARY KEY (list, line)
    ) WITHOUT ROWID""",
    # What an update does unless it is told otherwise; `value` is JSON.
    "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # One row. Every transaction that adds codes raises the generation, and codes have that of
    # theirs; one that removes some sets `removed` to it, so that copies are made anew. They are
    # times, so that no other catalogue has them; those that were written before counted.
    "CREATE TABLE generations (generation INTEGER NOT NULL, removed INTEGER NOT NULL)",
)


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty file, inside the transaction that is open."""
    for statement in _TABLES:
        connection.execute(statement)
    now = time.time_ns()
    connection.execute("INSERT INTO generations VALUES (?, ?)", (now, now))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def check(connection: sqlite3.Connection, path: str) -> bool:
    """Return whether a file has the tables; False if it is empty.

    Raises
    ------
    FormatError
        If it is no catalogue, or one of a newer version.
    """
    application, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    )
    if application == APPLICATION_ID:
        if version > VERSION:
            raise FormatError(
                f"{path}: a catalogue of version {version}, written by a newer hashret; "
                f"this one knows versions up to {VERSION}"
            )
        return True
    if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise FormatError(f"{path}: an SQLite file, but no catalogue of hashret's")
    return False
