"""The content of a file: the hash of its bytes."""

from __future__ import annotations

import hashlib
import os

from ..images.regular_files import open_regular

__all__ = ["digest"]


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
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        return hashlib.file_digest(file, "sha256").digest(), status
