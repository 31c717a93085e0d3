"""A sample of the pictures of a collection, before they are read for good."""

from __future__ import annotations

import hashlib
import heapq
import os
from collections.abc import Callable, Iterable, Iterator

from ...images.reading import Read, Skipped
from ...types import Images
from ..catalogue import Catalogue, roots_of
from .exclusions import Exclusions
from .scanning import Found, scan

__all__ = ["sample_pictures"]

Reader = Callable[[Iterable[tuple[int, bytes]]], Iterator[Read | Skipped]]

# Files for every picture wanted, as some are none.
_SPARE = 2


def sample_pictures(
    catalogue: Catalogue, read: Reader, count: int, exclusions: Exclusions, one_file_system: bool
) -> Iterator[tuple[bytes, Images]]:
    """Draw pictures from all roots by the hashes of their paths: always the same of same files.

    Parameters
    ----------
    catalogue : Catalogue
    read : callable
        As of :func:`.updater.update`.
    count : int
        Of pictures, at most.
    exclusions, one_file_system
        As of :func:`.updater.update`.

    Yields
    ------
    content : bytes
        Each another.
    picture : ndarray of uint8, shape (h, w, 3)
        In any order.
    """
    files = _files(catalogue, exclusions, one_file_system)
    drawn = [path for _, path in heapq.nsmallest(_SPARE * count, files)]
    contents: set[bytes] = set()
    at = 0
    # The spare files are read where pictures lack, and no others: which those are is no chance.
    while len(contents) < count and at < len(drawn):
        after = min(at + count - len(contents), len(drawn))
        for one in read(enumerate(drawn[at:after], at)):
            if isinstance(one, Read) and one.content not in contents:
                contents.add(one.content)
                yield one.content, one.pixels
        at = after


def _files(
    catalogue: Catalogue, exclusions: Exclusions, one_file_system: bool
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the hashes and absolute paths of all files."""
    status = os.stat(catalogue.store)
    beside = {(status.st_dev, status.st_ino)}
    for root in roots_of(catalogue):
        for one in scan(root.path, exclusions, beside, one_file_system=one_file_system):
            if isinstance(one, Found) and one.reason is None:
                key = hashlib.blake2b(one.path, digest_size=8).digest()
                yield key, os.path.join(root.path, one.path)
