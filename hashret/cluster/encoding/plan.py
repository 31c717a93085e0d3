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

__all__ = ["SHARD_FILES", "Plan", "Unit", "listed"]

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
    """

    receipt: str
    files: tuple[tuple[int, bytes], ...]


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
    """

    files: tuple[tuple[int, bytes], ...]
    encoder: str
    size: int

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
            yield Unit(f"plans/{name}/{number:08d}.json", files)

    def __len__(self) -> int:
        """Return how many shards it has."""
        return -(-len(self.files) // self.size)


def listed(
    sources: Iterable[str | os.PathLike[str]],
) -> tuple[list[bytes], list[tuple[bytes, str]]]:
    """Return the files of folders, and those named, sorted by their bytes, each once.

    Returns
    -------
    paths : list of bytes
        Absolute.
    unreachable : list of (path, reason)
    """
    paths: set[bytes] = set()
    unreachable = []
    for source in sources:
        root = os.fsencode(os.path.abspath(as_path(source)))
        if not os.path.exists(root):
            raise ParameterError(f"sources: no such file or folder: {os.fsdecode(root)}")
        if not os.path.isdir(root):
            paths.add(root)
            continue
        for found in scan(root, Exclusions()):
            path = os.path.join(root, found.path) if found.path else root
            if isinstance(found, Unreachable):
                unreachable.append((path, found.reason))
            elif found.reason is None:
                paths.add(path)
    return sorted(paths), unreachable


def numbered(paths: Sequence[bytes], first: int) -> tuple[tuple[int, bytes], ...]:
    """Return ids and paths: ids go on from `first`, by the order of the paths."""
    return tuple(enumerate(paths, first))
