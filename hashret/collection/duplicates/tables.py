"""Groups as a table that other programs read."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from typing import TextIO

from .along import Along
from .finder import Group

__all__ = ["write_table"]

_COLUMNS = ("group", "action", "id", "path", "tier", "distance", "transform", "bytes", "pixels")


def write_table(
    table: TextIO, groups: Iterable[Group], along: Along | None = None
) -> Iterator[Group]:
    """Write groups as CSV, a line a file, and yield each when it is written.

    A file that goes along with another has its line behind that, of the tier "companion".

    Bytes of names that are no UTF-8 are written as Python's ``surrogateescape`` has them, if the
    file was opened so.
    """
    along = along or Along()
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
            for file in along.of(one):
                path = os.fsdecode(file.path)
                row = number, "remove", place.id, path, "companion", "", "", file.size, ""
                writer.writerow(row)
        yield group
