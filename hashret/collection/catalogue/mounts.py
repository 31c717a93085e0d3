"""Which file system a folder lies on."""

from __future__ import annotations

import os
import re

__all__ = ["has_lasting_inodes", "is_network"]

# Kinds in /proc/mounts on which several machines, or a program of the user's, keep the files:
# their shared memory, which WAL needs, is not that of all who have the file open.
_NETWORK = re.compile(
    "9p|afs|beegfs|ceph|cifs|coda|davfs|gfs2?|glusterfs|lustre|ncpfs|nfs4?|ocfs2|orangefs|pvfs2|"
    "smb2|smb3|smbfs|virtiofs|vboxsf|vmhgfs"
)
# FUSE says "fuse.sshfs"; of those only disks of this machine count as local.
_LOCAL_FUSE = frozenset({"fuseblk", "fuse.ntfs", "fuse.ntfs-3g", "fuse.exfat", "fuse.mergerfs"})

# Made up at each mount, as FAT has none.
_PASSING_INODES = re.compile(r"vfat|exfat|msdos|cifs|smb3|smbfs|fuse.*|davfs|9p|vboxsf|vmhgfs")


def is_network(folder: str, mounts: str = "/proc/self/mounts") -> bool:
    """Return whether a folder lies on a network file system, or one that may be.

    Parameters
    ----------
    folder : str
    mounts : str
        The table of mounted file systems, in the form of Linux. Without one, False.
    """
    kind = _kind(os.path.realpath(folder), mounts)
    return bool(_NETWORK.fullmatch(kind)) or (kind.startswith("fuse") and kind not in _LOCAL_FUSE)


def has_lasting_inodes(folder: str, mounts: str = "/proc/self/mounts") -> bool:
    """Return whether a file keeps its inode number when its file system is mounted again."""
    return not _PASSING_INODES.fullmatch(_kind(os.path.realpath(folder), mounts))


def _kind(folder: str, mounts: str) -> str:
    """Return the kind of the file system with the longest mount point above a folder."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            rows = [line.split(" ") for line in file]
    except OSError:
        return ""
    best = ("", "")
    for row in rows:
        point = _unescaped(row[1])
        # Of two at one point the later one covers the earlier.
        if (f"{folder}/").startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
            best = (point, row[2])
    return best[1]


def _unescaped(name: str) -> str:
    """Return a name in which spaces and the like are given as ``\\040``."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), name)
