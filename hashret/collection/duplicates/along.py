"""Files that go along with a duplicate: raw files, sidecars, films of Live Photos."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from ...images.reading import companions
from .finder import Member

__all__ = ["Along", "Companion"]


class Companion(NamedTuple):
    """A file that goes with a photograph: its path, and its bytes."""

    path: bytes
    size: int


class Along:
    """What goes along with duplicates, by the names that are there; each folder is listed once.

    Parameters
    ----------
    links : bool
        Whether duplicates become hard links: then nothing goes along.
    """

    def __init__(self, links: bool = False) -> None:
        self._links = links
        self._folders: dict[bytes, dict[bytes, list[bytes]]] = {}

    def of(self, member: Member) -> list[Companion]:
        """Return the files that go along with one; none with what is only similar."""
        if self._links or member.tier == "similar":
            return []
        folder, name = os.path.split(member.place.path)
        if folder not in self._folders:
            self._folders[folder] = _companions_in(folder)
        return list(_there(folder, self._folders[folder].get(name, ())))


def _companions_in(folder: bytes) -> dict[bytes, list[bytes]]:
    try:
        return companions(os.listdir(folder))
    except OSError:
        return {}


def _there(folder: bytes, names: list[bytes] | tuple[()]) -> Iterator[Companion]:
    for name in names:
        path = os.path.join(folder, name)
        try:
            status = os.lstat(path)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            yield Companion(path, status.st_size)
