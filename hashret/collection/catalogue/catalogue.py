"""The catalogue: an SQLite file with one writer at a time and any number of readers."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from ...errors import FormatError, HashretError, LockedError
from ...files import remove_unfinished, write_bytes
from . import schema
from .derived import drop_derived
from .lock import WriterLock
from .mounts import is_network

__all__ = ["Catalogue", "read_catalogue", "write_catalogue"]

NAME = "catalogue.sqlite"
LOCK = "writer.lock"
# How long a reader waits where a rollback journal has the writer lock it out, seconds.
_WAIT = 30.0
# What the write-ahead log may keep on the disk once it is no longer needed, bytes.
_LOG_KEPT = 2**26


class Catalogue:
    """An open catalogue; made by :func:`write_catalogue` and :func:`read_catalogue`.

    Parameters
    ----------
    store : str
        The folder it lies in.
    connection : sqlite3.Connection
        In autocommit mode.
    lock : WriterLock, optional
        The writer's.
    """

    def __init__(
        self, store: str, connection: sqlite3.Connection, lock: WriterLock | None = None
    ) -> None:
        self.store = store
        self._connection = connection
        self._lock = lock

    def execute(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
        """Execute one SQL statement."""
        try:
            return self._connection.execute(statement, values)
        except sqlite3.OperationalError as error:
            self._explain(error)
            raise

    def executemany(self, statement: str, rows: Any) -> sqlite3.Cursor:
        """Execute one SQL statement for each of several rows."""
        try:
            return self._connection.executemany(statement, rows)
        except sqlite3.OperationalError as error:
            self._explain(error)
            raise

    def _explain(self, error: sqlite3.OperationalError) -> None:
        """Say so if what was to be changed was opened for reading."""
        if self._lock is None and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
            raise HashretError(
                f"{self.store}: opened for reading; Collection.change opens it to be changed"
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Change all of what the block changes, or nothing.

        When the block has ended, what it changed is on the disk: it is acknowledged.
        """
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            # A full disk may have ended it already.
            if self._connection.in_transaction:
                self.execute("ROLLBACK")
            raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read within the block what there is at its start, whatever is written meanwhile."""
        self.execute("BEGIN")
        try:
            # Before the first reading nothing is fixed.
            self.execute("SELECT generation FROM generations").fetchone()
            yield
        finally:
            self.execute("ROLLBACK")

    @property
    def generation(self) -> tuple[int, int]:
        """The number of the last transaction that changed codes, and of the last that removed some.

        No two have one number, not even of two catalogues, or of one and a copy that went on.
        """
        row = self.execute("SELECT generation, removed FROM generations").fetchone()
        return int(row[0]), int(row[1])

    def raise_generation(self, removed: bool = False) -> int:
        """Note that this transaction changes codes, for who keeps copies; return the number."""
        # The time, for it has no end of its own: what goes on from a copy gets other numbers.
        generation = max(self.generation[0] + 1, time.time_ns())
        self.execute("UPDATE generations SET generation = ?", (generation,))
        if removed:
            self.execute("UPDATE generations SET removed = ?", (generation,))
        return generation

    def check(self) -> list[str]:
        """Return what is wrong inside the file, nothing if it is sound."""
        found = [row[0] for row in self.execute("PRAGMA integrity_check") if row[0] != "ok"]
        return found + [
            f"dangling: {tuple(row)}" for row in self.execute("PRAGMA foreign_key_check")
        ]

    def close(self) -> None:
        """Close the file; a writer lets others write."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def write_catalogue(store: str) -> Catalogue:
    """Open the catalogue of a store as its one writer; make both if there are none.

    Where one is made, what was derived from another that was there before is removed.

    Parameters
    ----------
    store : str
        A folder.

    Raises
    ------
    LockedError
        If another process, or another place in this one, has it open for writing.
    FormatError
        If the file there is no catalogue, is damaged, or is of a newer version.
    OSError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as store, write_catalogue(store) as catalogue:
    ...     catalogue.check()
    []
    """
    os.makedirs(store, exist_ok=True)
    lock = WriterLock(os.path.join(store, LOCK))
    path = os.path.join(store, NAME)
    try:
        for folder in (store, *(entry.path for entry in os.scandir(store) if entry.is_dir())):
            remove_unfinished(folder)
        if not os.path.exists(path):
            drop_derived(store)
            _make(path)
        connection = _connect(path, "rw")
        try:
            _prepare(connection, store, path)
        except BaseException:
            connection.close()
            raise
    except BaseException:
        lock.release()
        raise
    return Catalogue(store, connection, lock)


def read_catalogue(store: str) -> Catalogue:
    """Open the catalogue of a store for reading only, whether or not it is being written.

    Parameters
    ----------
    store : str

    Raises
    ------
    FileNotFoundError
        If there is none.
    FormatError
        If the file there is no catalogue, is damaged, or is of a newer version.
    """
    path = os.path.join(store, NAME)
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: no catalogue")
    connection = _connect(path, "ro")
    try:
        if not _checked(connection, path):
            raise FormatError(f"{path}: empty, no catalogue; without it, hashret index makes one")
    except sqlite3.OperationalError as error:
        connection.close()
        return Catalogue(store, _unchanging(path, error))
    except BaseException:
        connection.close()
        raise
    return Catalogue(store, connection)


def _connect(path: str, mode: str) -> sqlite3.Connection:
    # Bytes that are no UTF-8 are quoted as they are.
    name = quote(os.fsencode(os.path.abspath(path)))
    return sqlite3.connect(
        f"file:{name}?mode={mode}",
        uri=True,
        timeout=_WAIT,
        isolation_level=None,
        # The paths to be read are fetched from whatever thread asks for the next; SQLite itself
        # lets one in at a time.
        check_same_thread=False,
    )


def _make(path: str) -> None:
    """Make an empty catalogue, there as a whole or not at all.

    Readers that come meanwhile, or after a kill, find none rather than one without tables.
    """
    # A log that is left of another file of this name is not of the new one.
    for suffix in ("-journal", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.unlink(path + suffix)
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        schema.create(connection)
        write_bytes(path, connection.serialize())
    finally:
        connection.close()


def _prepare(connection: sqlite3.Connection, store: str, path: str) -> None:
    """Set a writer's connection up, and make the tables if there are none."""
    made = _checked(connection, path)
    _set_journal(connection, is_network(store))
    for setting in ("synchronous = FULL", "foreign_keys = ON", f"journal_size_limit = {_LOG_KEPT}"):
        connection.execute(f"PRAGMA {setting}")
    if not made:
        drop_derived(store)
        connection.execute("BEGIN IMMEDIATE")
        schema.create(connection)
        connection.execute("COMMIT")


def _set_journal(connection: sqlite3.Connection, network: bool) -> None:
    """Use a write-ahead log where the file system can, a rollback journal elsewhere."""
    try:
        connection.execute(f"PRAGMA journal_mode = {'DELETE' if network else 'WAL'}")
    except sqlite3.OperationalError:
        connection.execute("PRAGMA journal_mode = DELETE")


def _checked(connection: sqlite3.Connection, path: str) -> bool:
    """Return whether the tables are there; what SQLite finds wrong becomes an error of ours."""
    try:
        return schema.check(connection, path)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise LockedError(f"{path}: locked by another process") from error
        raise
    except sqlite3.DatabaseError as error:
        raise FormatError(
            f"{path}: no catalogue, or a damaged one: {error}; restore a copy of it, or move it "
            "away and index anew"
        ) from error


def _unchanging(path: str, error: sqlite3.OperationalError) -> sqlite3.Connection:
    """Open a file in a folder where the memory that WAL shares cannot be made, as on a DVD.

    No writer can change it there. A log that was not yet written back could not be read.
    """
    log = f"{path}-wal"
    if os.path.exists(log) and os.path.getsize(log):
        raise FormatError(
            f"{path}: its log, {log}, cannot be read where nothing can be written: free some space "
            "if the disk is full, or copy the store to a folder that can be written"
        ) from error
    connection = _connect(path, "ro&immutable=1")
    try:
        _checked(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection
