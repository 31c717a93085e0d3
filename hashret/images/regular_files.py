"""Reading of files that may be anything: never a pipe, a device, or a wait."""

from __future__ import annotations

import os
import stat
from io import BufferedReader

_AT_ONCE = sum(getattr(os, flag, 0) for flag in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"))
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: str | bytes) -> BufferedReader:
    """Open a regular file for reading.

    Raises
    ------
    OSError
        If there is no such file, it may not be read, or is no regular file; at once.
    """
    # Asked before, for opening alone wakes who waits at the other end of a pipe; and again
    # afterwards, for the path may name something else by then.
    _check_regular(os.stat(path).st_mode)
    file = os.open(path, os.O_RDONLY | _AT_ONCE)
    try:
        _check_regular(os.fstat(file).st_mode)
        return os.fdopen(file, "rb")
    except OSError:
        os.close(file)
        raise


def read_regular(path: str, most: float, head: int | None = None) -> bytes | None:
    """Read a regular file.

    Parameters
    ----------
    path : str
    most : float
        The largest number of bytes it may have.
    head : int, optional
        Read no more than this many of them.

    Returns
    -------
    data : bytes or None
        None if the file is larger than `most`.

    Raises
    ------
    OSError
        As :func:`open_regular`.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            return None
        # Files of /proc say that they are empty, and some have no end.
        return file.read(size if head is None else min(head, size))


def _check_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((kind for test, kind in _KINDS if test(mode)), "no regular file")
        raise OSError(f"{kind}, not a picture")
