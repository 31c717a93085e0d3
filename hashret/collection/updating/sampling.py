"""A sample of the files that a scan has found."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator

from ..catalogue import Catalogue
from .comparing import want_files
from .filing import Look, looks_among

__all__ = ["sampled_looks"]

# Files for every picture wanted, as some are none.
_SPARE = 2


def sampled_looks(catalogue: Catalogue, count: int, contents: set[bytes]) -> Iterator[list[Look]]:
    """Draw files from all roots by the hashes of their paths: always the same of same files.

    Parameters
    ----------
    catalogue : Catalogue
        With the tables of a scan that was compared.
    count : int
        Of pictures, at most.
    contents : set of bytes
        Those of the pictures that were read so far: the caller adds to it.

    Yields
    ------
    looks : list of Look
        To be read before the next are asked for.
    """
    rows = catalogue.execute("SELECT root, path FROM temp.found WHERE reason IS NULL")
    keyed = ((hashlib.blake2b(path, digest_size=8).digest(), root, path) for root, path in rows)
    drawn = [(root, path) for _, root, path in heapq.nsmallest(_SPARE * count, keyed)]
    at = 0
    # The spare files are read where pictures lack, and no others: which those are is no chance.
    while len(contents) < count and at < len(drawn):
        after = min(at + count - len(contents), len(drawn))
        wanted = want_files(catalogue, drawn[at:after])
        yield [look for row in wanted for look in looks_among(catalogue, "TRUE", row - 1, 1)]
        at = after
