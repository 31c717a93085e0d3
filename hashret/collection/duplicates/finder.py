"""Groups of files: what stays, and what looks like it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ...images.frames import has_frames
from ...images.reading import companions
from ...types import Ids
from ..catalogue import Catalogue, EncoderRow
from ..images import File, Image, images_of
from ..removing import Copy, Duplicate
from .decisions import Decisions, decisions_of
from .grouping import Near, group
from .mirrored import TRANSFORMS
from .pixels import pixel_digests
from .pool import Pool, load_pool
from .rules import Rules

__all__ = [
    "Group",
    "Member",
    "Place",
    "duplicates_of",
    "find_duplicates",
    "place_of",
    "plain_images",
]

# Groups whose files are looked up, and pictures decoded, together.
_AT_ONCE = 1024
# Equal pixels give codes that differ by no more: they are scaled while they are decoded, each
# format in its way.
_PIXEL_RADIUS = 10


@dataclass(frozen=True)
class Place:
    """A file of an image.

    Attributes
    ----------
    id : int
        Of the image.
    path : bytes
        Absolute.
    root : int
    content : bytes
    format : str
    width, height : int
        Pixels.
    size : int
        Bytes.
    """

    id: int
    path: bytes
    root: int
    content: bytes
    format: str
    width: int
    height: int
    size: int

    @property
    def copy(self) -> Copy:
        """What :func:`.removing.remove` takes."""
        return Copy(self.root, self.path, self.content)


@dataclass(frozen=True)
class Member:
    """A file that looks like its keeper.

    Attributes
    ----------
    place : Place
    tier : {"byte-equal", "pixel-equal", "near", "similar"}
    distance : int
        Bits in which the codes differ.
    transform : str or None
        What makes it of its keeper: ``"flip_left_right"``, ``"rotate_90"`` and so on.
    """

    place: Place
    tier: str
    distance: int
    transform: str | None


@dataclass(frozen=True)
class Group:
    """A file that stays, and those that look like it."""

    keep: Place
    members: tuple[Member, ...]


def find_duplicates(
    catalogue: Catalogue,
    encoder: EncoderRow | None,
    rules: Rules | None = None,
    *,
    inner: EncoderRow | None = None,
    tier: str = "near",
    among: Ids | None = None,
    on_step: Callable[[int, int], object] | None = None,
) -> Iterator[Group]:
    """Find groups of files that look alike, as the catalogue and the files are now.

    Parameters
    ----------
    catalogue : Catalogue
    encoder : EncoderRow or None
        Whose codes tell what is near; None for equal bytes alone.
    rules : Rules, optional
    inner : EncoderRow, optional
        Whose codes are those of what is within borders; each is compared with all of both.
    tier : {"near", "similar"}
        What nearness means: ``"similar"`` for a semantic encoder, whose groups have no equal files.
    among : ndarray of int64, optional
        Only these images.
    on_step : callable, optional
        Given how many images are done, and how many there are.

    Yields
    ------
    group : Group
        The best keepers first. No file is in two groups.
    """
    rules = rules or Rules()
    decisions = decisions_of(catalogue)
    pool = load_pool(catalogue, encoder, rules, inner, preferred=decisions.preferred, among=among)
    bits = 8 if encoder is None else encoder.bits
    groups = group(pool, bits, rules, decisions, on_step, _Frames(catalogue, pool))
    while chunk := list(islice(groups, _AT_ONCE)):
        yield from _Chunk(catalogue, pool, rules, decisions, tier).groups(chunk)


def duplicates_of(groups: Iterable[Group], *, equal: bool = False) -> Iterator[Duplicate]:
    """Yield what is to be removed: all but the similar files, or only those of equal bytes."""
    for one in groups:
        for member in one.members:
            if member.tier == "byte-equal" or (not equal and member.tier != "similar"):
                yield Duplicate(one.keep.copy, member.place.copy)


def plain_images(
    catalogue: Catalogue, encoder: EncoderRow, rules: Rules
) -> Iterator[tuple[int, bytes, float]]:
    """Yield id, path and quality of images that are too plain to be near to any other."""
    rows = catalogue.execute(
        "SELECT image, quality FROM codes WHERE encoder = ? AND quality < ? ORDER BY image",
        (encoder.id, rules.plain),
    )
    folders = _folders(rules.compared_folders)
    while chunk := dict(rows.fetchmany(_AT_ONCE)):
        for image in images_of(catalogue, chunk):
            for file in image.files:
                if file.state == "present" and _is_compared(file, folders):
                    yield image.id, file.path, chunk[image.id]
                    break


class _Frames:
    """Which images hold several pictures, told by their files, each asked once."""

    def __init__(self, catalogue: Catalogue, pool: Pool) -> None:
        self._catalogue = catalogue
        self._pool = pool
        self._known: dict[int, bool] = {}

    def __call__(self, place: int) -> bool:
        if not self._pool.paged[place]:
            return False
        if place not in self._known:
            self._known[place] = self._look(int(self._pool.ids[place]))
        return self._known[place]

    def _look(self, id: int) -> bool:
        """Look into the first file that can be read; of what none tells, nothing is a copy."""
        for image in images_of(self._catalogue, [id]):
            for file in image.files:
                with suppress(OSError, ValueError):
                    return has_frames(file.path)
        return True


class _Chunk:
    """Some groups, from places in the pool to files."""

    def __init__(
        self, catalogue: Catalogue, pool: Pool, rules: Rules, decisions: Decisions, tier: str
    ) -> None:
        self._catalogue = catalogue
        self._pool = pool
        self._rules = rules
        self._decisions = decisions
        self._tier = tier
        self._kept = _folders(rules.keep_roots)
        self._under = _folders(rules.kept_folders)
        self._compared = _folders(rules.compared_folders)

    def groups(self, chunk: list[tuple[int, list[Near]]]) -> Iterator[Group]:
        """Yield the groups in which there is more than one file."""
        places = {place for keeper, near in chunk for place in (keeper, *(n.place for n in near))}
        ids = (int(self._pool.ids[place]) for place in places)
        images = {image.id: image for image in images_of(self._catalogue, ids)}
        made = [made for one in chunk if (made := self._group(*one, images)) is not None]
        yield from _pixel_equal(made) if self._tier == "near" else made

    def _group(self, keeper: int, near: list[Near], images: dict[int, Image]) -> Group | None:
        image = images.get(int(self._pool.ids[keeper]))
        files = self._files(image)
        if image is None or not files:
            return None
        keep, *others = files
        members = []
        if self._tier == "near" and image.id not in self._decisions.kept:
            members = [
                Member(place_of(image, one), "byte-equal", 0, None)
                for one in others
                if self._may_go(keep, one)
            ]
        for one in near:
            other = images.get(int(self._pool.ids[one.place]))
            transform = TRANSFORMS[one.transform]
            members += [
                Member(place_of(other, file), self._tier, one.distance, transform)
                for file in self._files(other)
                if other is not None and self._may_go(keep, file)
            ]
        return Group(place_of(image, keep), tuple(members)) if members else None

    def _files(self, image: Image | None) -> list[File]:
        """Return the files of an image that are there, the one to keep first."""
        found = []
        for file in () if image is None else image.files:
            if file.state == "present" and not file.link and _is_compared(file, self._compared):
                try:
                    status = os.lstat(file.path)
                except OSError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    # As they are now: inodes are numbered anew at some mounts.
                    found.append(file._replace(device=status.st_dev, inode=status.st_ino))
        return sorted(found, key=self._order) if len(found) > 1 else found

    def _order(self, file: File) -> tuple[Any, ...]:
        under = [not _is_in(file.path, [folder]) for folder in self._under]
        alone = not _has_companions(file.path)
        named = _is_named_as_copy(file.path)
        return not _is_in(file.path, self._kept), *under, alone, named, file.mtime_ns, file.path

    def _may_go(self, keep: File, file: File) -> bool:
        if (keep.device, keep.inode) == (file.device, file.inode):
            return False
        if _is_in(file.path, self._kept):
            return False
        scope = self._rules.scope
        return scope == "all" or (scope == "within") == (keep.root == file.root)


def _pixel_equal(groups: list[Group]) -> list[Group]:
    """Name the tier of members that have the very pixels of their keeper."""

    def may_be(keep: Place, one: Member) -> bool:
        same = (keep.width, keep.height) == (one.place.width, one.place.height)
        return same and one.tier == "near" and one.distance <= _PIXEL_RADIUS and not one.transform

    paths: dict[bytes, bytes] = {}
    side = 1
    for one in groups:
        for member in one.members:
            if may_be(one.keep, member):
                paths[one.keep.content] = one.keep.path
                paths[member.place.content] = member.place.path
                side = max(side, one.keep.width, one.keep.height)
    if not paths:
        return groups
    digests = pixel_digests(paths, side)

    def named(keep: Place, one: Member) -> Member:
        digest = digests.get(keep.content)
        if digest is None or not may_be(keep, one) or digests.get(one.place.content) != digest:
            return one
        return replace(one, tier="pixel-equal")

    return [
        Group(one.keep, tuple(named(one.keep, member) for member in one.members)) for one in groups
    ]


def place_of(image: Image, file: File) -> Place:
    """Return a file of an image as a place."""
    return Place(
        image.id,
        file.path,
        file.root,
        image.content,
        image.format,
        image.width,
        image.height,
        file.size,
    )


def _folders(paths: Iterable[str | os.PathLike[str]]) -> list[bytes]:
    return [os.path.realpath(os.fsencode(path)) for path in paths]


def _is_compared(file: File, folders: list[bytes]) -> bool:
    return not folders or _is_in(file.path, folders)


def _is_in(path: bytes, folders: list[bytes]) -> bool:
    return any(path.startswith(folder.rstrip(b"/") + b"/") for folder in folders)


# "a (1)", "a - Copy", "Copy of a", "a copy 2": as programs name copies that they make.
_COPY = re.compile(rb"^copy of |[ _-]\(\d+\)$|[ _-]copy( ?\(?\d+\)?)?$", re.IGNORECASE)


def _is_named_as_copy(path: bytes) -> bool:
    return _COPY.search(os.path.splitext(os.path.basename(path))[0]) is not None


def _has_companions(path: bytes) -> bool:
    folder, name = os.path.split(path)
    try:
        return name in companions(os.listdir(folder))
    except OSError:
        return False
