"""The pictures of archives as files, one by one, for those who read them."""

from __future__ import annotations

import os
import re
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Self

from ...images.decoding import most_bytes
from ...images.reading import Limits, Skipped
from .archives import ArchiveError, Member, archive_of, members

__all__ = ["Unpacked"]

_CHUNK = 2**20
_SUFFIX = re.compile(rb"\.[0-9A-Za-z]{1,8}\Z")


class Unpacked:
    """Tokens and paths of files, those of archives in a folder that goes with it.

    An archive is read once, in its order. A file is written when it is asked for, under its token,
    and goes when :meth:`drop` says that it was read: the disk has those that are under way.

    Parameters
    ----------
    files : sequence of (token, path)
        As in :class:`.Unit`.
    archives : sequence of bytes
    limits : Limits
        Of one file.

    Attributes
    ----------
    skipped : list of Skipped
        Those that could not be unpacked.
    """

    def __init__(
        self, files: Sequence[tuple[int, bytes]], archives: Sequence[bytes], limits: Limits
    ) -> None:
        self._plain: list[tuple[int, bytes]] = []
        self._packed: dict[bytes, dict[bytes, int]] = {archive: {} for archive in archives}
        for token, path in files:
            archive = archive_of(path, self._packed)
            if archive is None:
                self._plain.append((token, path))
            else:
                self._packed[archive][path[len(archive) + 1 :]] = token
        self._most = most_bytes(limits.pixels)
        self._folder = tempfile.TemporaryDirectory(prefix="hashret-")
        self._there: dict[int, bytes] = {}
        self.skipped: list[Skipped] = []

    def __enter__(self) -> Self:
        """Return it; its files go at the end of a block."""
        return self

    def __exit__(self, *given: object) -> None:
        """Remove what is left."""
        self._folder.cleanup()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield tokens and paths."""
        yield from self._plain
        for archive, wanted in self._packed.items():
            yield from self._unpacked(archive, wanted)

    def drop(self, token: int) -> None:
        """Remove a file that was read."""
        path = self._there.pop(token, None)
        if path is not None:
            with suppress(FileNotFoundError):
                os.unlink(path)

    def _unpacked(self, archive: bytes, wanted: dict[bytes, int]) -> Iterator[tuple[int, bytes]]:
        left, reason = dict(wanted), "is no longer in its archive"
        try:
            for member in members(archive, wanted):
                token = left.pop(member.key, None)
                if token is not None and self._write(token, member):
                    yield token, self._there[token]
                if not left:
                    return
        except ArchiveError as error:
            reason = f"its archive {error}"
        self.skipped += [Skipped(token, reason) for token in left.values()]

    def _write(self, token: int, member: Member) -> bool:
        """Write a member to a file; whether it is there, whole."""
        reason = member.refusal
        if not reason and member.size > self._most:
            reason = f"larger than {self._most:.0f} bytes, the most that its pixels may take"
        if not reason:
            suffix = _SUFFIX.search(member.key)
            name = b"%d%b" % (token, suffix[0] if suffix else b"")
            self._there[token] = path = os.path.join(os.fsencode(self._folder.name), name)
            if _copy(member, path):
                return True
            self.drop(token)
            reason = "its archive ends within it, or is damaged there"
        self.skipped.append(Skipped(token, reason))
        return False


def _copy(member: Member, path: bytes) -> bool:
    """Copy a member; whether it has the bytes that it says it has."""
    left = member.size
    with open(path, "xb") as target:
        for chunk in _chunks(member):
            target.write(chunk)
            left -= len(chunk)
    return left == 0


def _chunks(member: Member) -> Iterator[bytes]:
    """Yield its bytes, as far as there are some: what cannot be read is not the disk's fault."""
    try:
        with member.open() as source:
            while chunk := source.read(_CHUNK):
                yield chunk
    except (OSError, tarfile.TarError):
        return
