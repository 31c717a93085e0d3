"""Comparing what a scan found with the catalogue, by sets.

The scan goes to the temporary table ``found``, and what is to be looked at more closely to
``looks``: both are SQLite's to keep, so that memory does not grow with the collection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ..catalogue import GONE, Catalogue, Root
from .scanning import BELONGS, Found, Unreachable

__all__ = ["begin", "compare", "note_scan", "want_codes", "want_files"]

EMPTY = "empty, though it was not: perhaps its disk is not mounted"

_NUMBERS = "size, mtime_ns, ctime_ns, device, inode, link"
_BEGIN = (
    "DROP TABLE IF EXISTS temp.found",
    "DROP TABLE IF EXISTS temp.unreachable",
    "DROP TABLE IF EXISTS temp.looks",
    f"""CREATE TEMP TABLE found (root INTEGER, path BLOB, {_NUMBERS}, reason, companion,
        PRIMARY KEY (root, path)) WITHOUT ROWID""",
    # What is under a path is between `low` and `high`.
    "CREATE TEMP TABLE unreachable (root INTEGER, path BLOB, low BLOB, high BLOB, reason)",
    # `own` is the row in files with this path. `content` is given where it is known without
    # reading; `done`, when the row in files is right.
    f"""CREATE TEMP TABLE looks (id INTEGER PRIMARY KEY, root INTEGER, path BLOB, {_NUMBERS},
        own INTEGER, content BLOB, done INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX temp.looks_own ON looks (own)",
)

_ABSENT = """
    SELECT files.id AS id, coalesce((
        SELECT unreachable.reason FROM temp.unreachable
        WHERE unreachable.root = files.root AND (unreachable.path IN (x'', files.path)
            OR files.path >= unreachable.low AND files.path < unreachable.high)
        ), :gone) AS reason
    FROM files LEFT JOIN temp.found USING (root, path) WHERE found.path IS NULL
"""
_SAME = """files.size = found.size AND files.mtime_ns = found.mtime_ns
    AND files.inode = found.inode AND files.link = found.link"""
_KNOWN = "EXISTS (SELECT 1 FROM images WHERE images.content = files.content)"

_LOOK = f"""
    INSERT INTO temp.looks (root, path, {_NUMBERS}, own)
    SELECT found.root, found.path, {", ".join("found." + n for n in _NUMBERS.split(", "))}, files.id
    FROM temp.found LEFT JOIN files USING (root, path)
    WHERE found.reason IS NULL AND (files.id IS NULL OR :all OR files.racy OR NOT ({_SAME})
        OR files.state = 'missing' AND NOT {_KNOWN}
        OR files.state IN ('skipped', 'other')
            AND (:skipped OR files.ctime_ns != found.ctime_ns)
        OR files.state = 'other' AND substr(files.reason, 1, length(:belongs)) = :belongs)
"""
# A file whose folder was renamed, or that has a symbolic link: the same inode, unchanged. Only with
# the device, which is not asked for at the same path: it is numbered anew at each mount. And only
# with the time of its last change of any kind: another file may have got its inode, size and time.
_BY_INODE = f"""
    UPDATE temp.looks SET content = (
        SELECT content FROM files
        WHERE files.inode = looks.inode AND files.size = looks.size
            AND files.mtime_ns = looks.mtime_ns AND files.ctime_ns = looks.ctime_ns
            AND files.device = looks.device
            AND files.id IS NOT looks.own AND NOT files.racy AND {_KNOWN})
    WHERE inode != 0
"""
_BACK = f"""
    UPDATE files SET state = 'present', reason = NULL FROM temp.found
    WHERE files.state = 'missing' AND found.root = files.root AND found.path = files.path
        AND found.reason IS NULL AND NOT files.racy AND {_SAME} AND {_KNOWN}
    RETURNING files.root, files.path
"""
_NO_FILE = f"""
    INSERT INTO files (root, path, {_NUMBERS}, reason, state, racy)
    SELECT root, path, {_NUMBERS}, reason, iif(companion, 'other', 'skipped'), 0
    FROM temp.found WHERE reason IS NOT NULL
    ON CONFLICT (root, path) DO UPDATE SET state = excluded.state, reason = excluded.reason,
        content = NULL, inode = excluded.inode, link = excluded.link
    WHERE state != excluded.state OR reason != excluded.reason OR content IS NOT NULL
"""
_DEVICE = f"""
    UPDATE files SET device = found.device FROM temp.found
    WHERE found.root = files.root AND found.path = files.path AND files.device != found.device
        AND {_SAME}
"""
_WANT = f"""
    INSERT INTO temp.looks (root, path, {_NUMBERS}, own)
    SELECT root, path, {", ".join("found." + n for n in _NUMBERS.split(", "))}, min(files.id)
    FROM images JOIN files ON files.content = images.content JOIN temp.found USING (root, path)
    WHERE files.state = 'present' AND found.reason IS NULL
        AND EXISTS (SELECT 1 FROM json_each(?) AS wanted WHERE NOT EXISTS (
            SELECT 1 FROM codes WHERE encoder = wanted.value AND image = images.id))
        AND NOT EXISTS (SELECT 1 FROM temp.looks WHERE looks.own = files.id AND NOT looks.done)
    GROUP BY images.id
"""
_FILE = "root = ?1 AND path = ?2"
_WANT_FILE = f"""
    INSERT INTO temp.looks (root, path, {_NUMBERS}, own)
    SELECT found.root, found.path, {", ".join("found." + n for n in _NUMBERS.split(", "))}, files.id
    FROM temp.found LEFT JOIN files USING (root, path)
    WHERE found.root = ?1 AND found.path = ?2
        AND NOT EXISTS (SELECT 1 FROM temp.looks WHERE {_FILE} AND NOT done)
"""


def begin(catalogue: Catalogue) -> None:
    """Make the temporary tables, empty."""
    for statement in _BEGIN:
        catalogue.execute(statement)


def note_scan(catalogue: Catalogue, root: Root, scanned: Iterable[Found | Unreachable]) -> None:
    """Take down what the scan of a root yields."""
    unreachable: list[tuple[int, bytes, bytes, bytes, str]] = []

    def rows() -> Iterator[tuple[object, ...]]:
        for one in scanned:
            if isinstance(one, Found):
                yield (root.id, *one)
            else:
                bounds = one.path + b"/", one.path + b"0"  # "0" follows "/"
                unreachable.append((root.id, one.path, *bounds, one.reason))

    with catalogue.transaction():
        catalogue.executemany(f"INSERT INTO temp.found VALUES ({'?, ' * 9}?)", rows())
        if not unreachable and _emptied(catalogue, root):
            unreachable.append((root.id, b"", b"", b"", EMPTY))
        catalogue.executemany("INSERT INTO temp.unreachable VALUES (?, ?, ?, ?, ?)", unreachable)


def _emptied(catalogue: Catalogue, root: Root) -> bool:
    """Return whether nothing was found where there was something."""
    found, known = (
        catalogue.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE root = ?)", (root.id,))
        for table in ("temp.found", "files")
    )
    return not found.fetchone()[0] and bool(known.fetchone()[0])


def compare(
    catalogue: Catalogue, *, check_content: bool, retry_skipped: bool
) -> list[tuple[int, bytes]]:
    """Bring the states of files up to date, and note which are to be looked at.

    Returns
    -------
    back : list of (root, path)
        Files that were missing.
    """
    asked = {"all": check_content, "skipped": retry_skipped, "belongs": BELONGS}
    catalogue.execute(_LOOK, asked)
    if not check_content:
        catalogue.execute(_BY_INODE)
    catalogue.execute(
        f"""UPDATE files SET state = 'missing', reason = absent.reason FROM ({_ABSENT}) AS absent
        WHERE absent.id = files.id AND (state != 'missing' OR files.reason != absent.reason)""",
        {"gone": GONE},
    )
    catalogue.execute(_NO_FILE)
    catalogue.execute(_DEVICE)
    return catalogue.execute(_BACK).fetchall()


def want_codes(catalogue: Catalogue, encoders: Iterable[int]) -> None:
    """Note a file of each image that lacks a code of one of these encoders."""
    catalogue.execute(_WANT, (json.dumps([*encoders]),))


def want_files(catalogue: Catalogue, files: Iterable[tuple[int, bytes]]) -> list[int]:
    """Note some of the files that were found, and return their rows in ``looks``."""
    catalogue.execute("CREATE INDEX IF NOT EXISTS temp.looks_path ON looks (root, path)")
    query = f"SELECT id FROM temp.looks WHERE {_FILE} AND NOT done"
    rows = []
    for file in files:
        catalogue.execute(_WANT_FILE, file)
        (row,) = catalogue.execute(query, file).fetchone()
        rows.append(int(row))
    return rows
