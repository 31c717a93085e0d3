"""A file that is replaced by a hard link to its equal, and back."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from ..content import digest
from .moving import status_of, write_copy

__all__ = ["is_linked", "link", "settle_link", "unlink"]


def link(place: bytes, keeper: bytes, part: bytes, old: bytes, content: bytes) -> None:
    """Replace a file by a hard link to another that was seen to be equal.

    Parameters
    ----------
    place, keeper : bytes
        On one file system.
    part, old : bytes
        Names for the link and the file it replaces, in the folder of `place`.
    content : bytes
        Of both.

    Raises
    ------
    OSError
        The file is as it was then.
    """
    made: os.stat_result | None = None
    equal = False
    try:
        os.link(place, old)
        os.link(keeper, part)
        made = os.lstat(part)
        os.rename(part, place)
        # Either may have changed since it was seen; the file keeps its other name until then.
        equal = digest(old)[0] == digest(place)[0] == content
        if not equal:
            raise OSError(errno.EBUSY, "changed meanwhile", os.fsdecode(place))
    finally:
        there = status_of(place)
        if not equal and made and there and os.path.samestat(made, there):
            os.rename(old, place)
        # A second name of the file that is still there, or of one equal to the keeper.
        for name in (part, old):
            with suppress(FileNotFoundError):
                os.unlink(name)


def settle_link(place: bytes, keeper: bytes, part: bytes, old: bytes, content: bytes) -> bool:
    """Clean up after a :func:`link` that was killed; return whether it happened."""
    if status_of(old) is not None:
        if is_linked(place, old) or digest(place)[0] == digest(old)[0]:
            os.unlink(old)
        elif is_linked(place, keeper) or digest(place)[0] == content:
            # One of the two was changed just before it was replaced, or since.
            os.rename(old, place)
    with suppress(FileNotFoundError):
        os.unlink(part)
    return is_linked(place, keeper)


def is_linked(place: bytes, other: bytes) -> bool:
    """Return whether two paths name one file."""
    one, two = status_of(place), status_of(other)
    return one is not None and two is not None and os.path.samestat(one, two)


def unlink(place: bytes, part: bytes, content: bytes, mode: int, mtime_ns: int) -> None:
    """Make a file of several names a file of its own again, with its own time and permissions.

    Raises
    ------
    OSError
        The file is as it was then; also if it has other bytes than `content` by now.
    """
    before = os.lstat(place)
    try:
        write_copy(place, part)
        if digest(part)[0] != content:
            raise OSError(errno.EBUSY, "has other bytes now", os.fsdecode(place))
        if not os.path.samestat(before, os.lstat(place)):
            raise OSError(errno.EBUSY, "changed while it was copied", os.fsdecode(place))
        os.chmod(part, mode & 0o7777)
        os.utime(part, ns=(mtime_ns, mtime_ns))
        os.replace(part, place)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)
