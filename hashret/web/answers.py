"""The shapes of JSON, which OpenAPI tells, and what is shown of an image."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pydantic import BaseModel

from ..collection.images import Image
from ..images.decoding import printable

__all__ = [
    "Decided",
    "DecisionShown",
    "Decisions",
    "Details",
    "Found",
    "GroupShown",
    "Groups",
    "ImageShown",
    "Images",
    "Info",
    "Place",
    "Refusal",
    "Result",
    "Skips",
    "shown_image",
    "shown_path",
]


class Refusal(BaseModel):
    """Why there is no answer."""

    detail: str


class ImageShown(BaseModel):
    """An image in a list; `folder` and `name` are of its first file, fit to be shown."""

    id: int
    name: str
    folder: str
    width: int
    height: int
    taken: str | None
    bytes: int
    files: int
    missing: bool


class Images(BaseModel):
    """Some images, and the `after` of the next page."""

    images: list[ImageShown]
    after: int | None


class Place(BaseModel):
    """A file of an image."""

    folder: str
    name: str
    bytes: int
    state: str
    reason: str | None


class Details(ImageShown):
    """All that is known of an image."""

    format: str
    content: str
    places: list[Place]
    labels: dict[str, str]


class Result(ImageShown):
    """An image that was found; `why` says it in words."""

    distance: float
    same: bool
    why: str


class Found(BaseModel):
    """What was found for a query; `farthest` is the distance of what differs in all bits."""

    encoder: str
    bits: int
    farthest: float
    seconds: float
    results: list[Result]


class GroupPlace(BaseModel):
    """A file of a group."""

    id: int
    name: str
    folder: str
    format: str
    width: int
    height: int
    bytes: int


class GroupMember(GroupPlace):
    """A file that looks like the keeper of its group."""

    tier: str
    distance: int
    transform: str | None


class GroupShown(BaseModel):
    """A group of duplicates; `saved` is the bytes of all but the keeper."""

    number: int
    saved: int
    files: int
    keep: GroupPlace
    members: list[GroupMember]


class Groups(BaseModel):
    """Some open groups, the `after` of the next page, and how far finding is.

    Groups that are found anew have another `generation`; it is null while the first are found.
    """

    groups: list[GroupShown]
    after: str | None
    generation: str | None
    open: int
    saved: int
    known: int
    finding: bool
    done: int
    total: int
    error: str | None


class Decided(BaseModel):
    """A decision that was made, or taken back."""

    decision: int


class DecisionShown(BaseModel):
    """A decision, or `count` made together; `images` of the latest that the collection has now."""

    decision: int
    kind: str
    time: str
    count: int
    images: list[int]


class Decisions(BaseModel):
    """Some decisions, the latest first, and the `before` of the next page."""

    decisions: list[DecisionShown]
    before: int | None


class Skip(BaseModel):
    """A file that cannot be read, or is missing."""

    folder: str
    name: str
    reason: str


class Skips(BaseModel):
    """Some files of a state, and the `after` of the next page."""

    files: list[Skip]
    after: int | None
    count: int


class EncoderShown(BaseModel):
    """An encoder; `texts` tells whether it knows words."""

    name: str
    bits: int
    texts: bool


class RootShown(BaseModel):
    """A folder of the collection, by its last name."""

    name: str
    reachable: bool


class Info(BaseModel):
    """What there is in the collection."""

    images: int
    files: dict[str, int]
    encoders: list[EncoderShown]
    default: str | None
    roots: list[RootShown]
    updated: str | None
    version: str
    keys: list[str]


def shown_path(path: bytes, roots: Iterable[bytes]) -> tuple[str, str]:
    """Return the folder, from the name of its root on, and the name of a file, fit to be shown.

    Examples
    --------
    >>> shown_path(b"/home/me/photos/Italy/a\\xff.jpg", [b"/home/me/photos"])
    ('photos/Italy', 'a\\\\udcff.jpg')
    """
    folder, name = os.path.split(path)
    inside = [root for root in roots if _is_in(folder, root)]
    if inside:
        root = max(inside, key=len)
        folder = os.path.join(os.path.basename(root), os.path.relpath(folder, root))
        folder = os.path.normpath(folder)
    return printable(os.fsdecode(folder)), printable(os.fsdecode(name))


def shown_image(image: Image, roots: Iterable[bytes]) -> ImageShown:
    """Return what a list shows of an image."""
    file = image.files[0] if image.files else None
    folder, name = ("", "") if file is None else shown_path(file.path, roots)
    return ImageShown(
        id=image.id,
        name=name,
        folder=folder,
        width=image.width,
        height=image.height,
        taken=image.taken,
        bytes=0 if file is None else file.size,
        files=len(image.files),
        missing=file is None or file.state != "present",
    )


def _is_in(folder: bytes, root: bytes) -> bool:
    return folder == root or folder.startswith(root.rstrip(b"/") + b"/")
