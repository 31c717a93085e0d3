"""What EXIF and XMP tell of a picture that is asked for here: which way is up, and when."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import datetime

ORIENTATION = 274
# A tag of the date and time, and one of its distance from UTC: of taking, of digitising, of change.
_DATES = ((36867, 36881), (36868, 36882), (306, 36880))
_PHOTOGRAPH = 34665
_DATE = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d:\d\d:\d\d)")
_FROM_UTC = re.compile(r"[+-]\d\d:\d\d")
_PREFIX = re.compile(rb"^(Exif\0\0){1,2}")
# Bytes of a value of each type, by the type's number.
_SIZES = (1, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 1, 1, 8, 8, 8)
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)\s*([1-8])')


def orientation_of(exif: bytes, xmp: bytes = b"") -> int:
    """Return the orientation, 1 to 8, that EXIF or else XMP gives; 1 if neither can be read.

    One entry is looked for; the others may be damaged, or cut off.
    """
    if not exif and not xmp:
        return 1
    directory = read_directory(_PREFIX.sub(b"", exif))
    if directory is not None and (value := directory.integer(ORIENTATION)) is not None:
        return value if 1 <= value <= 8 else 1
    found = _XMP_ORIENTATION.search(xmp)
    return int(found[1]) if found else 1


def taken_of(exif: bytes) -> str | None:
    """Return when a picture was taken by its EXIF, or else digitised, or else changed.

    Returns
    -------
    taken : str or None
        ISO 8601, to the second, with the distance from UTC if it is told.

    Examples
    --------
    >>> taken_of(b"no EXIF") is None
    True
    """
    data = _PREFIX.sub(b"", exif)
    directory = read_directory(data)
    if directory is None:
        return None
    entries = dict(directory.entries)
    at = directory.integer(_PHOTOGRAPH)
    beneath = None if at is None else read_directory(data, at)
    if beneath is not None:
        entries |= beneath.entries
    both = Directory(directory.order, directory.big, directory.offset, entries)
    for tag, zone in _DATES:
        date = _DATE.match(both.text(data, tag))
        if date is not None and _is_date(iso := "{}-{}-{}T{}".format(*date.groups())):
            from_utc = _FROM_UTC.match(both.text(data, zone))
            return iso + (from_utc[0] if from_utc else "")
    return None


def _is_date(iso: str) -> bool:
    try:
        datetime.fromisoformat(iso)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Directory:
    """One directory of a TIFF file or of EXIF: its entries as they lie there."""

    order: str
    big: bool
    offset: int
    entries: dict[int, bytes]

    def unpack(self, entry: bytes) -> tuple[int, int, int]:
        """Return the type, the count and the offset (or value) of an entry."""
        _, kind, count, value = struct.unpack(self.order + ("HHQQ" if self.big else "HHII"), entry)
        return kind, count, value

    def end(self, entry: bytes) -> int:
        """Return where the values of an entry end, 0 if they lie in the entry."""
        kind, count, offset = self.unpack(entry)
        size = count * (_SIZES[kind] if kind < len(_SIZES) else 1)
        return offset + size if size > (8 if self.big else 4) else 0

    def integer(self, tag: int) -> int | None:
        """Return the value of an entry of one small integer, or None."""
        entry = self.entries.get(tag)
        if entry is None:
            return None
        kind, count, _ = self.unpack(entry)
        form = {1: "B", 3: "H", 4: "I"}.get(kind)
        if form is None or count != 1:
            return None
        value: int = struct.unpack_from(self.order + form, entry, 12 if self.big else 8)[0]
        return value

    def text(self, data: bytes, tag: int) -> str:
        """Return the value of an entry of ASCII, at most 64 characters of it; "" if it has none."""
        entry = self.entries.get(tag)
        if entry is None:
            return ""
        kind, count, offset = self.unpack(entry)
        if kind != 2 or self.end(entry) == 0:
            return ""
        return data[offset : offset + min(count, 64)].decode("ascii", "replace")


def read_directory(data: bytes, at: int | None = None) -> Directory | None:
    """Read the directory at an offset, the first one by default; None if there is none."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return None
    try:
        big = struct.unpack_from(order + "H", data, 2)[0] == 43
        (first,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
        offset = first if at is None else at
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, offset)
    except (struct.error, OverflowError):
        return None
    first, size = offset + (8 if big else 2), 20 if big else 12
    count = min(count, (len(data) - first) // size, 2**16)
    entries = [data[at : at + size] for at in range(first, first + count * size, size)]
    tags = [struct.unpack_from(order + "H", entry)[0] for entry in entries]
    # Of a repeated tag the first counts.
    return Directory(order, big, offset, dict(zip(reversed(tags), reversed(entries), strict=True)))
