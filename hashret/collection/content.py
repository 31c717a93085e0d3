"""The content of a file: the hash of its bytes."""

from __future__ import annotations

import hashlib
import os
import stat

__all__ = ["digest"]

_FLAGS: int = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


def digest(path: bytes) -> tuple[bytes, os.stat_result]:
    """Hash the bytes of a regular file, without ever waiting for another process.

    Parameters
    ----------
    path : bytes

    Returns
    -------
    content : bytes
        SHA-256, 32 bytes.
    status : os.stat_result
        Of the opened file, before it was read.

    Raises
    ------
    OSError
        If it cannot be read or is no regular file.
    """
    handle = os.open(path, _FLAGS)
    with open(handle, "rb", buffering=0) as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("no regular file")
        return hashlib.file_digest(file, "sha256").digest(), status
