"""Watching folders: when a collection may have to be updated."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Generator, Sequence
from typing import Any

from ..errors import MissingExtraError
from ..extras import import_extra

__all__ = ["Watcher"]

# Of the store and of names that no collection has; its own writing would wake it for ever.
_IGNORED = re.compile(r"(^|[/\\])\.hashret")
# Nothing is looked at before it was quiet for so long, but at the latest after ten times that.
_QUIET = 2.0
# How long an idle watcher takes to see that it is to end, seconds.
_TICK = 1.0


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
        self._watched: list[str] = []
        self._changes = self._watch([])
        self._watchfiles: Any = None
        try:
            self._watchfiles = import_extra("watchfiles", "watch")
        except MissingExtraError as error:
            self.trouble = str(error)

    def start(self) -> None:
        """Watch from now on: what changes before :meth:`wait` counts, too.

        Folders that cannot be reached are watched from a later call on.
        """
        folders = [folder for folder in self._folders if os.path.isdir(folder)]
        if folders != self._watched and self._watchfiles is not None:
            self._changes.close()
            self._watched = folders
            self._changes = self._watch(folders)
            # It begins with its first step.
            next(self._changes, None)

    def wait(self) -> bool:
        """Return when there is something to look at: True for a change, False for the time.

        KeyboardInterrupt passes through it.
        """
        self.start()
        deadline = time.monotonic() + self._period
        for changed in self._changes:
            if changed or time.monotonic() >= deadline:
                return changed
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _TICK))
        return False

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
