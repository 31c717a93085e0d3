"""Scanning a root: which files there are, and what cannot be looked into."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Set
from typing import NamedTuple

from ...images.reading import raw_leaders
from ..catalogue import signed
from ..catalogue.mounts import has_lasting_inodes
from .exclusions import Exclusions

__all__ = ["BELONGS", "Found", "Unreachable", "scan"]

# How the reason of a companion begins.
BELONGS = "belongs to "

Identity = tuple[int, int]  # device and inode

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# What a link leads to that leads nowhere.
_LINKS = {errno.ENOENT: "a link to nothing", errno.ELOOP: "a link that leads back to itself"}


class Found(NamedTuple):
    """A file.

    `reason` says why it can be no image, `link` that the path is a symbolic link. `inode` is 0
    where the file system makes up another at each mount. `companion` says that the reason is the
    photograph that it belongs to.
    """

    path: bytes
    size: int
    mtime_ns: int
    ctime_ns: int
    device: int
    inode: int
    link: bool
    reason: str | None = None
    companion: bool = False


class Unreachable(NamedTuple):
    """A path that cannot be looked at, nor what may be under it; of the root itself ``b""``."""

    path: bytes
    reason: str


def scan(
    root: bytes,
    exclusions: Exclusions,
    others: Set[Identity] = frozenset(),
    *,
    one_file_system: bool = False,
) -> Iterator[Found | Unreachable]:
    """Find the files of a root; folders in the order of the system.

    Links to files are files, links to folders are left out. Nothing is opened but folders.

    Parameters
    ----------
    root : bytes
    exclusions : Exclusions
    others : set of (device, inode)
        Folders to leave out: other roots, the store, the quarantine.
    one_file_system : bool
        Leave out folders on which another file system is mounted.

    Yields
    ------
    Found or Unreachable
    """
    try:
        status = os.stat(root)
    except OSError as error:
        yield Unreachable(b"", _told(error))
        return
    if not stat.S_ISDIR(status.st_mode):
        yield Unreachable(b"", "no folder")
        return
    lasting = has_lasting_inodes(os.fsdecode(root))
    device = status.st_dev if one_file_system else None
    # A folder that is mounted a second time inside itself would never end.
    seen = {*others, _identity(status)}
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        entries = [*_listed(root, folder)]
        leaders = raw_leaders(one.name for one in entries if isinstance(one, os.DirEntry))
        for entry in entries:
            if isinstance(entry, Unreachable):
                yield entry
                continue
            path = folder + b"/" + entry.name if folder else entry.name
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
                if exclusions.excludes(path, is_folder):
                    continue
                if not is_folder:
                    if (found := _file(path, entry)) is not None:
                        found = found if lasting else found._replace(inode=0)
                        yield _with_leader(found, leaders.get(entry.name))
                    continue
                below = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                yield Unreachable(path, _told(error))
                continue
            if _identity(below) not in seen and device in (None, below.st_dev):
                seen.add(_identity(below))
                waiting.append(path)


def _listed(root: bytes, folder: bytes) -> Iterator[os.DirEntry[bytes] | Unreachable]:
    """List a folder; what was listed before an error counts."""
    try:
        with os.scandir(os.path.join(root, folder)) as entries:
            yield from entries
    except FileNotFoundError as error:
        # Gone since its own folder was listed, and with it its files; but not a root.
        if not folder:
            yield Unreachable(folder, _told(error))
    except OSError as error:
        yield Unreachable(folder, _told(error))


def _file(path: bytes, entry: os.DirEntry[bytes]) -> Found | None:
    """Look at what is no folder; a link stands for what it leads to, None for a folder."""
    link = entry.is_symlink()
    reason = None
    try:
        status = entry.stat()
    except OSError as error:
        if not link:
            raise
        status = entry.stat(follow_symlinks=False)
        reason = _LINKS.get(error.errno or 0, f"a link that cannot be followed: {_told(error)}")
    if stat.S_ISDIR(status.st_mode):
        return None
    reason = reason or next((kind for test, kind in _KINDS if test(status.st_mode)), None)
    return Found(
        path,
        signed(status.st_size),
        signed(status.st_mtime_ns),
        signed(status.st_ctime_ns),
        signed(status.st_dev),
        signed(status.st_ino),
        link,
        reason,
    )


def _with_leader(found: Found, leader: bytes | None) -> Found:
    if leader is None or found.reason is not None:
        return found
    return found._replace(reason=BELONGS + os.fsdecode(leader), companion=True)


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino


def _told(error: OSError) -> str:
    return error.strerror or str(error)
