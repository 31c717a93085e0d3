"""Moving a file: never over another, and whole in one of two places at every moment."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import sys
from contextlib import suppress

from ..content import digest

__all__ = ["move", "status_of", "sync_folder", "write_copy"]

# What a file system without hard links says to them, and a system that forbids one to a file of
# another's.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
_NO_REPLACE = 1
_CHUNK = 2**20


def status_of(path: bytes) -> os.stat_result | None:
    """Look at a regular file, links not followed; None if there is none."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def move(source: bytes, target: bytes, part: bytes) -> None:
    """Move a regular file to a place where nothing is.

    Parameters
    ----------
    source, target : bytes
    part : bytes
        A name in the target's folder for a copy that is not yet whole, where the two are on
        different file systems. What lies there is left from before.

    Raises
    ------
    FileExistsError
        If there is something at the target.
    OSError
        The file is where it was then.
    """
    try:
        _move_within(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across(source, target, part)


def _move_within(source: bytes, target: bytes) -> None:
    try:
        _link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _rename(source, target)
        return
    _drop(source, target)


def _drop(source: bytes, target: bytes) -> None:
    """Remove the one name of a file that has another now; if it stays, that other goes."""
    try:
        os.unlink(source)
    except FileNotFoundError:
        return
    except OSError:
        os.unlink(target)
        raise


def _move_across(source: bytes, target: bytes, part: bytes) -> None:
    before = os.lstat(source)
    try:
        write_copy(source, part)
        _move_within(part, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise
    sync_folder(os.path.dirname(target))
    after = os.lstat(source)
    if (before.st_ino, before.st_size, before.st_mtime_ns) != (
        after.st_ino,
        after.st_size,
        after.st_mtime_ns,
    ):
        os.unlink(target)
        raise OSError(errno.EBUSY, "changed while it was copied", os.fsdecode(source))
    _drop(source, target)


def write_copy(source: bytes, part: bytes) -> None:
    """Write a copy of a file with its times and permissions, and see that it is equal.

    What lies at `part` is replaced.
    """
    with suppress(FileNotFoundError):
        os.unlink(part)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(handle, "wb") as copy, open(source, "rb") as original:
        shutil.copyfileobj(original, copy, _CHUNK)
        copy.flush()
        shutil.copystat(source, part)
        with suppress(OSError, AttributeError):
            status = os.fstat(original.fileno())
            os.chown(part, status.st_uid, status.st_gid)
        os.fsync(copy.fileno())
    if digest(part)[0] != digest(source)[0]:
        raise OSError(errno.EIO, "the copy is not equal", os.fsdecode(source))


def sync_folder(folder: bytes) -> None:
    """See to it that the names in a folder are on the disk, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _link(source: bytes, target: bytes) -> None:
    if os.link in os.supports_follow_symlinks:
        os.link(source, target, follow_symlinks=False)
    else:
        os.link(source, target)


def _rename(source: bytes, target: bytes) -> None:
    """Rename a file if nothing has the name."""
    if sys.platform == "linux":
        call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
        here = -100  # AT_FDCWD
        if call is not None:
            if call(here, source, here, target, _NO_REPLACE) == 0:
                return
            code = ctypes.get_errno()
            if code not in (errno.ENOSYS, errno.EINVAL):
                raise OSError(code, os.strerror(code), os.fsdecode(target))
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(target))
    os.rename(source, target)
