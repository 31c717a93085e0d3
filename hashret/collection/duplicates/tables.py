"""Groups as a table that other programs read."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from typing import TextIO

from .finder import Group

__all__ = ["write_table"]

_COLUMNS = ("group", "action", "id", "path", "tier", "distance", "transform", "bytes", "pixels")


def write_table(table: TextIO, groups: Iterable[Group]) -> Iterator[Group]:
    """Write groups as CSV, a line a file, and yield each when it is written.

    Bytes of names that are no UTF-8 are written as Python's ``surrogateescape`` has them, if the
    file was opened so.
    """
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for number, group in enumerate(groups, 1):
        place = group.keep
        path = os.fsdecode(place.path)
        pixels = f"{place.width}x{place.height}"
        writer.writerow((number, "keep", place.id, path, "", "", "", place.size, pixels))
        for one in group.members:
            place = one.place
            path = os.fsdecode(place.path)
            known = one.tier, one.distance, one.transform or ""
            pixels = f"{place.width}x{place.height}"
            writer.writerow((number, "remove", place.id, path, *known, place.size, pixels))
        yield group
