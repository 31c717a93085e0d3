"""Writing files: whole or not at all, where and as writing into the old file would."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from .errors import DTypeError, ParameterError

__all__ = [
    "as_path",
    "is_unfinished",
    "remove_unfinished",
    "replacing",
    "write_bytes",
    "write_text",
]

# Names of one length, so that a name as long as the system allows can be written too.
_PREFIX = ".hashret-"
_UNFINISHED = re.compile(re.escape(_PREFIX) + "[0-9a-f]{16}")
_BINARY: int = getattr(os, "O_BINARY", 0)  # on Windows
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY


@contextmanager
def replacing(path: str | os.PathLike[str], *, sync: bool = True) -> Iterator[BinaryIO]:
    """Open a file that takes the name `path` when the block ends without an exception.

    The bytes go to a new file in the same folder, reach the disk, and only then take the name:
    at every moment the name stands for all of the old file or all of the new one. Otherwise it
    is as if the old file were written to: links are followed, the mode is the old file's, or what
    the umask leaves of a new one, and a file that may not be written stays. A pipe or a device is
    written to as it is.

    Parameters
    ----------
    path : path-like
    sync : bool
        Wait until all is on the disk; not for what can be made again.

    Yields
    ------
    file : binary file

    Raises
    ------
    DTypeError, ParameterError
        If `path` is no path.
    OSError
        If the folder or the file cannot be written, or the disk is full. `path` is then as it was.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a")
    ...     with replacing(path) as file:
    ...         _ = file.write(b"whole")
    ...     path.read_bytes()
    b'whole'
    """
    name, old = _look(path)
    if old is not None and not stat.S_ISREG(old.st_mode):
        with open(name, "wb") as stream:
            yield stream
        return
    target = os.path.realpath(name)
    temporary = os.path.join(os.path.dirname(target), _PREFIX + secrets.token_hex(8))
    try:
        handle = os.open(temporary, _NEW, 0o666)
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if old is not None:
                _take_after(temporary, old)
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if sync:
        _sync_folder(os.path.dirname(target))


def write_bytes(path: str | os.PathLike[str], data: bytes, *, sync: bool = True) -> None:
    """Write a file by :func:`replacing`."""
    with replacing(path, sync=sync) as file:
        file.write(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file of UTF-8, with lines as they are, by :func:`replacing`."""
    write_bytes(path, text.encode())


def is_unfinished(name: str) -> bool:
    """Whether a file has the name of one that is being written by :func:`replacing`, or was."""
    return _UNFINISHED.fullmatch(name) is not None


def remove_unfinished(folder: str | os.PathLike[str]) -> None:
    """Remove what writers left in a folder that were killed; nobody may write there now."""
    with suppress(OSError):
        for name in filter(is_unfinished, os.listdir(folder)):
            os.unlink(os.path.join(folder, name))


def as_path(path: Any, hint: str = "") -> str:
    """Return a path as text; `hint` ends the message if it is none.

    Raises
    ------
    DTypeError, ParameterError
        If `path` is no path.
    """
    try:
        name = os.fsdecode(path)
    except TypeError:
        raise DTypeError(f"path: expected a path, got {type(path).__name__}{hint}") from None
    if "\0" in name:
        raise ParameterError(f"path: expected a path, got {name!r} with a zero byte")
    return name


def _look(path: str | os.PathLike[str]) -> tuple[str, os.stat_result | None]:
    """Return the path as text, and what is there now; raise if that may not be written."""
    name = as_path(path)
    try:
        old = os.stat(name)
    except FileNotFoundError:
        _check_name(name)
        return name, None
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not os.access(name, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
    return name, old


def _check_name(name: str) -> None:
    """Raise where opening would; what is made of a path here is another name."""
    if not name:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    if name.endswith(tuple(filter(None, (os.sep, os.altsep)))):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)


def _take_after(path: str, old: os.stat_result) -> None:
    """Give a file the owner of another, where that is allowed, and its mode."""
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(path, old.st_uid, old.st_gid)
    os.chmod(path, stat.S_IMODE(old.st_mode))


def _sync_folder(folder: str) -> None:
    """See the new name on the disk; some file systems cannot, and Windows has no such call."""
    if os.name != "posix":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
