"""One writer at a time: a lock that a process holds, and that ends with it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from ...errors import LockedError

__all__ = ["WriterLock"]

# Enough for any process id and a host's name.
_MOST = 512


class WriterLock:
    """A lock file, held until :meth:`release` or the end of the process.

    The system lets go of it however the process ends; the file itself stays, and tells who
    holds it.

    Parameters
    ----------
    path : str

    Raises
    ------
    LockedError
        If another holds it; names that one's process id.
    OSError
        If the file cannot be written.
    """

    def __init__(self, path: str) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(self._handle)
        except (BlockingIOError, PermissionError):
            holder = os.pread(self._handle, _MOST, 0).decode(errors="replace").strip()
            os.close(self._handle)
            raise LockedError(
                f"{path}: the collection is being changed by process {holder or 'unknown'}; "
                "wait for its end"
            ) from None
        except BaseException:
            os.close(self._handle)
            raise
        # On a full disk nobody is told who holds it.
        with suppress(OSError):
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, f"{os.getpid()} on {_host()}\n".encode(), 0)

    def release(self) -> None:
        """Let go of the lock; a second time does nothing."""
        if self._handle >= 0:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = -1


def _host() -> str:
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "?")


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        # Far behind the text, which stays readable to who asks for the holder.
        os.lseek(handle, 2**30, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
