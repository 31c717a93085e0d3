"""Files of a sharded index on this machine: fetched, verified, and not more than a budget."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
import time
from contextlib import suppress
from typing import BinaryIO

from ..checks import check_int
from ..errors import FormatError, UnavailableError
from ..files import is_unfinished, replacing
from .location import Location
from .manifest import Blob, digest_of

__all__ = ["Cache", "Held"]

_CHUNK = 2**20
# Seconds that a file may be there before whoever writes it has locked it.
_JUST = 60.0


class Held:
    """A file of the cache that stays until :meth:`release`, or the end of the process.

    Attributes
    ----------
    path : str
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._handle = os.open(path, os.O_RDONLY)
        fcntl.flock(self._handle, fcntl.LOCK_SH)

    def release(self) -> None:
        """Let the cache remove it; a second time does nothing."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    @property
    def is_there(self) -> bool:
        """Whether its name still stands for it."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._handle))
        except FileNotFoundError:
            return False


class Cache:
    """A folder of files named by their content, which processes of a machine share.

    A file is verified when it is fetched, and its size and times are noted; one that has other
    ones since is verified again, and fetched again if it is damaged. What has changed without a
    trace of it is found by :meth:`verify`.

    Parameters
    ----------
    folder : str, optional
        By default ``hashret/shards`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
    budget : int, optional
        Bytes it may take; by default what the disk has. Beyond it, files that nobody holds go,
        those first that were used least recently.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, budget: int | None = None):
        self.folder = os.path.abspath(folder or _default())
        self.budget = None if budget is None else check_int("budget", budget, 0)
        self._lock = threading.Lock()
        os.makedirs(self.folder, exist_ok=True)

    def hold(self, location: Location, blob: Blob) -> Held:
        """Return a file, fetched if it is not here or is damaged.

        Raises
        ------
        FileNotFoundError
            If the location does not have it.
        FormatError
            If it is damaged there, too.
        UnavailableError
            If the budget has no room for it beside what is in use.
        """
        with self._lock:
            path = self._path(blob)
            for _ in range(3):
                if not self._is_noted(path) and not self._verified(path, blob):
                    self._fetch(location, blob, path)
                try:
                    held = Held(path)
                except FileNotFoundError:
                    continue
                # Another process may have removed it between the look and the lock.
                if held.is_there:
                    # Of its own accord the kernel counts in ticks, which several uses may share.
                    now = time.time_ns()
                    os.utime(_note_of(path), ns=(now, now))
                    return held
                held.release()
        raise UnavailableError(
            f"{path}: removed as often as it is fetched; give the cache more room"
        )

    def verify(self, blob: Blob) -> bool:
        """Read a file through; whether it is what its name says. Removes one that is not."""
        with self._lock:
            return self._verified(self._path(blob), blob)

    @property
    def bytes(self) -> int:
        """Bytes of the files that it has."""
        return sum(size for _, size in self._files())

    def _path(self, blob: Blob) -> str:
        return os.path.join(self.folder, blob.name)

    def _is_noted(self, path: str) -> bool:
        """Whether the file is the one that was verified, as far as the system tells."""
        try:
            with open(_note_of(path), encoding="ascii") as note:
                return note.read() == _told(os.stat(path))
        except FileNotFoundError:
            return False

    def _verified(self, path: str, blob: Blob) -> bool:
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                good = digest_of(file) == blob.digest
        except FileNotFoundError:
            return False
        if good:
            _note(path, status)
        else:
            _drop(path)
        return good

    def _fetch(self, location: Location, blob: Blob, path: str) -> None:
        self._make_room(blob)
        with location.open(blob) as source, replacing(path, sync=False) as target:
            # As long as it is locked, nobody takes it for what a killed process has left.
            fcntl.flock(target.fileno(), fcntl.LOCK_SH)
            if _copy(source, target, blob.size) != blob.digest:
                raise FormatError(
                    f"{location.name}: {blob.name} is damaged or truncated there: its content is "
                    "not what its name says; put it back from a copy, or delete it and encode again"
                )
        _note(path, os.stat(path))

    def _make_room(self, blob: Blob) -> None:
        self._drop_left()
        if self.budget is None:
            return
        files = self._files()
        excess = sum(size for _, size in files) + blob.size - self.budget
        for path, size in files:
            if excess <= 0:
                return
            if not is_unfinished(os.path.basename(path)) and _drop_free(path):
                excess -= size
        if excess > 0:
            raise UnavailableError(
                f"{self.folder}: the cache may take {self.budget} bytes, of which {excess} more "
                f"would be needed to have {blob.name} beside what is in use; give it a larger "
                "budget, or spread the shards over more nodes"
            )

    def _drop_left(self) -> None:
        """Remove the parts of files whose fetching was killed."""
        for name in filter(is_unfinished, os.listdir(self.folder)):
            path = os.path.join(self.folder, name)
            with suppress(FileNotFoundError):
                # One that has just been made is not locked yet.
                if time.time() > os.stat(path).st_mtime + _JUST:
                    _drop_free(path)

    def _files(self) -> list[tuple[str, int]]:
        """Return paths and sizes, those used least recently first; also what is being fetched."""
        found = []
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            if not name.endswith(_NOTE):
                with suppress(FileNotFoundError):
                    size, used = os.stat(path).st_size, 0
                    with suppress(FileNotFoundError):
                        used = os.stat(_note_of(path)).st_mtime_ns
                    found.append((used, path, size))
        return [(path, size) for _, path, size in sorted(found)]


_NOTE = ".verified"


def _note_of(path: str) -> str:
    return path + _NOTE


def _note(path: str, status: os.stat_result) -> None:
    with open(_note_of(path), "w", encoding="ascii") as note:
        note.write(_told(status))


def _told(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


def _drop(path: str) -> None:
    for each in (_note_of(path), path):
        with suppress(FileNotFoundError):
            os.unlink(each)


def _drop_free(path: str) -> bool:
    """Remove a file unless a process holds it; whether it is gone."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Who comes now waits for the lock, and then sees that the file is gone.
        _drop(path)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _copy(source: BinaryIO, target: BinaryIO, most: int) -> str:
    """Copy a file, but no more than one byte too much; return its SHA-256."""
    digest, left = hashlib.sha256(), most + 1
    while left > 0 and (chunk := source.read(min(_CHUNK, left))):
        digest.update(chunk)
        target.write(chunk)
        left -= len(chunk)
    return digest.hexdigest()


def _default() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "hashret", "shards")
