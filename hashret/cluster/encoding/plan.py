"""Which files go into which shard, fixed before any is read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ...collection.updating import Exclusions
from ...collection.updating.scanning import Unreachable, scan
from ...errors import ParameterError
from ...files import as_path
from .archives import archive_of, is_archive, keys_of

__all__ = ["SHARD_FILES", "Listed", "Plan", "Unit", "listed", "numbered"]

# Files of a shard: some minutes of work, which is what a machine that dies costs.
SHARD_FILES = 20_000


@dataclass(frozen=True)
class Unit:
    """The files of one shard.

    Attributes
    ----------
    receipt : str
        Where it says that it is done, in the location.
    files : tuple of (id, path)
        Of one that lies in an archive, the path is that of the archive, a slash, and its key there.
    archives : tuple of bytes
        The paths of those.
    """

    receipt: str
    files: tuple[tuple[int, bytes], ...]
    archives: tuple[bytes, ...] = ()

    @property
    def name(self) -> str:
        """What messages call it."""
        plan, number = self.receipt.removesuffix(".json").split("/")[1:]
        return f"shard {int(number)} of plan {plan[:12]}"


@dataclass(frozen=True)
class Plan:
    """All files, and the ids that their codes are to have.

    Parameters
    ----------
    files : tuple of (id, path)
    encoder : str
        Its fingerprint.
    size : int
        Files of a shard.
    archives : frozenset of bytes
        The files among the sources in which others lie.
    """

    files: tuple[tuple[int, bytes], ...]
    encoder: str
    size: int
    archives: frozenset[bytes] = frozenset()

    @property
    def name(self) -> str:
        """The same for the same plan."""
        digest = hashlib.sha256(f"{self.encoder} {self.size}\n".encode())
        for number, path in self.files:
            digest.update(b"%d %b\0" % (number, path))
        return digest.hexdigest()

    @property
    def next_id(self) -> int:
        """The first id above all of its own: those of files that fail are taken, too."""
        return max((number + 1 for number, _ in self.files), default=0)

    @property
    def units(self) -> Iterator[Unit]:
        """Its shards."""
        name = self.name
        for number, start in enumerate(range(0, len(self.files), self.size)):
            files = self.files[start : start + self.size]
            among = {archive_of(path, self.archives) for _, path in files}
            archives = tuple(sorted(each for each in among if each is not None))
            yield Unit(f"plans/{name}/{number:08d}.json", files, archives)

    def __len__(self) -> int:
        """Return how many shards it has."""
        return -(-len(self.files) // self.size)


@dataclass
class Listed:
    """What sources have.

    Attributes
    ----------
    paths : list of bytes
        Absolute, sorted by their bytes, each once; of what lies in an archive as in :class:`Unit`.
    archives : frozenset of bytes
    unreachable : list of (path, reason)
    """

    paths: list[bytes]
    archives: frozenset[bytes]
    unreachable: list[tuple[bytes, str]]


def listed(sources: Iterable[str | os.PathLike[str]]) -> Listed:
    """Return the files of folders, those named, and what lies in archives that are named."""
    paths: set[bytes] = set()
    archives: set[bytes] = set()
    unreachable: list[tuple[bytes, str]] = []
    for source in sources:
        root = os.fsencode(os.path.abspath(as_path(source)))
        if not os.path.exists(root):
            raise ParameterError(f"sources: no such file or folder: {os.fsdecode(root)}")
        if os.path.isdir(root):
            paths |= _found(root, unreachable)
        elif is_archive(root):
            archives.add(root)
        else:
            paths.add(root)
    for archive in archives:
        keys, told = keys_of(archive)
        paths |= {archive + b"/" + key for key in keys}
        unreachable += told
    return Listed(sorted(paths), frozenset(archives), sorted(unreachable))


def _found(root: bytes, unreachable: list[tuple[bytes, str]]) -> set[bytes]:
    """Return the files of a folder; note what cannot be looked into."""
    paths = set()
    for found in scan(root, Exclusions()):
        path = os.path.join(root, found.path) if found.path else root
        if isinstance(found, Unreachable):
            unreachable.append((path, found.reason))
        elif found.reason is None:
            paths.add(path)
    return paths


def numbered(paths: Sequence[bytes], first: int) -> tuple[tuple[int, bytes], ...]:
    """Return ids and paths: ids go on from `first`, by the order of the paths."""
    return tuple(enumerate(paths, first))
