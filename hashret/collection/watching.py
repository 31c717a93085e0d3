"""Watching folders: when a collection may have to be updated."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

from ..errors import MissingExtraError
from ..extras import import_extra
from .catalogue.mounts import has_lasting_inodes

__all__ = ["Watcher"]

# Of the store and of names that no collection has; its own writing would wake it for ever.
_IGNORED = re.compile(r"(^|[/\\])\.hashret")
# Nothing is looked at before it was quiet for so long, but at the latest after ten times that.
_QUIET = 2.0
# How long an idle watcher takes to see that it is to end, seconds.
_TICK = 1.0


class _Folder(NamedTuple):
    """A folder that is there, told from others that have had its name."""

    path: str
    device: int
    inode: int


class Watcher:
    """Tells when files of some folders have changed, and when it is time to look anyway.

    Where the system tells of no changes (network drives; another machine changes them), and
    without the package `watchfiles`, only the time counts.

    Parameters
    ----------
    folders : sequence of str
    store : str
        A folder in which changes do not count.
    period : float
        Seconds after which to look anyway.
    quiet : float
        Seconds without changes that end a burst of them.

    Attributes
    ----------
    trouble : str or None
        Why changes are not told, so that only the time counts.
    """

    def __init__(
        self, folders: Sequence[str], store: str, period: float = 3600.0, quiet: float = _QUIET
    ) -> None:
        self._folders = folders
        self._store = os.path.join(os.path.realpath(store), "")
        self._period, self._quiet = period, quiet
        self.trouble: str | None = None
        self._watched: list[_Folder] | None = None
        self._changes = self._watch([])
        self._watchfiles: Any = None
        try:
            self._watchfiles = import_extra("watchfiles", "watch")
        except MissingExtraError as error:
            self.trouble = str(error)

    def start(self) -> None:
        """Watch from now on: what changes before :meth:`wait` counts, too.

        Folders that cannot be reached are watched from a later call on; so is another folder of
        the same name, as where a disk was mounted there.
        """
        if self._are_others():
            self._changes.close()
            self._watched = self._there()
            self._changes = self._watch([folder.path for folder in self._watched])
            # It begins with its first step.
            next(self._changes, None)

    def wait(self, most: float | None = None) -> bool:
        """Return when there is something to look at: True for a change, False for the time.

        That a folder has come, gone, or become another one is a change.

        KeyboardInterrupt passes through it.

        Parameters
        ----------
        most : float, optional
            Seconds, where that is less than the period.
        """
        missed = self._watched is not None and self._are_others()
        self.start()
        if missed:
            return True
        deadline = time.monotonic() + min(self._period, most or self._period)
        for changed in self._changes:
            # Of a folder that is not there any more nothing is told.
            if changed or self._are_others():
                return True
            if time.monotonic() >= deadline:
                return False
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _TICK))
            if self._are_others():
                return True
        return False

    def _are_others(self) -> bool:
        """Return whether other folders are there than are watched, if any can be."""
        return self._watchfiles is not None and self._there() != self._watched

    def _there(self) -> list[_Folder]:
        return [folder for path in self._folders if (folder := _folder_at(path)) is not None]

    def _watch(self, folders: Sequence[str]) -> Generator[bool, None, None]:
        """Yield True when something has changed, False now and then; end if that cannot be told."""
        if not folders:
            return
        try:
            for changes in self._watchfiles.watch(
                *folders,
                watch_filter=self._counts,
                debounce=round(10_000 * self._quiet),
                step=round(1000 * self._quiet),
                rust_timeout=round(1000 * min(_TICK, self._period)),
                yield_on_timeout=True,
                ignore_permission_denied=True,
            ):
                yield bool(changes)
        except (OSError, RuntimeError, UnicodeError) as error:
            # The system has no more watches, or a folder's name is not UTF-8.
            self.trouble = f"changes cannot be watched: {error}"

    def _counts(self, _: Any, path: str) -> bool:
        return not path.startswith(self._store) and not _IGNORED.search(path)


def _folder_at(path: str) -> _Folder | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISDIR(status.st_mode):
        return None
    # Made up by some file systems, which may make up another at any time.
    return _Folder(path, status.st_dev, status.st_ino if has_lasting_inodes(path) else 0)
