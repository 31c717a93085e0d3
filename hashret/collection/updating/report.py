"""What an update did."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

__all__ = ["Paths", "Report"]

# Of how many paths a report has more than the number.
LISTED = 1000


class Paths:
    """How many paths, and the first thousand of them with a word on each.

    Attributes
    ----------
    count : int
    listed : list of (bytes, str)
        Absolute paths, and why, or what it was called before.
    """

    def __init__(self) -> None:
        self.count = 0
        self.listed: list[tuple[bytes, str]] = []

    def add(self, path: bytes, word: str = "") -> None:
        """Count a path."""
        self.count += 1
        if len(self.listed) < LISTED:
            self.listed.append((path, word))

    def drop(self, paths: Collection[bytes]) -> None:
        """Count some of the listed paths no more."""
        left = [one for one in self.listed if one[0] not in paths]
        self.count -= len(self.listed) - len(left)
        self.listed = left

    def __repr__(self) -> str:
        return f"<{self.count} paths>"


@dataclass
class Report:
    """What an update found and did.

    Attributes
    ----------
    found : int
        Files that are there, skipped ones too.
    new, changed, renamed, back : Paths
        Files that have come, have other bytes, another path, or were missing; renamed ones with
        the path before.
    missing, skipped, unreachable : Paths
        As they are at the end, with reasons: files that are not there, files that are no readable
        images, and folders that cannot be looked into.
    other : int
        Files that are no pictures, or belong to one: sidecars, films, the raw file of a JPEG.
    to_read : int
        Files that are to be decoded, known when the folders have been compared.
    read : int
        Of those, how many were.
    hashed : int
        Files whose bytes alone were read, because they were likely known.
    encoded : int
        Images that got codes.
    forgotten : int
        Rows of missing files that were dropped, because that was asked for.
    seconds : float
    """

    found: int = 0
    new: Paths = field(default_factory=Paths)
    changed: Paths = field(default_factory=Paths)
    renamed: Paths = field(default_factory=Paths)
    back: Paths = field(default_factory=Paths)
    missing: Paths = field(default_factory=Paths)
    skipped: Paths = field(default_factory=Paths)
    unreachable: Paths = field(default_factory=Paths)
    other: int = 0
    to_read: int = 0
    read: int = 0
    hashed: int = 0
    encoded: int = 0
    forgotten: int = 0
    seconds: float = 0.0
