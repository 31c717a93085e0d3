"""Many pictures of one size in one array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from ..errors import ImageError
from ..images.decoding import printable
from ..types import Images
from .base import Progress
from .room import allocate


def read_images(
    readers: Sequence[tuple[str, Callable[[], Images]]],
    errors: Literal["raise", "skip"],
    progress: Progress | None,
) -> tuple[Images, list[str], list[tuple[str, str]]]:
    """Call each reader and stack the images; return them, their names, and what was skipped.

    Raises
    ------
    ImageError
        If an image is of another size than the first, whatever `errors` says: then an argument is
        missing, no image is bad. Or if there is no memory for so many of their size.
    """
    images: Images = np.empty((0, 0, 0), np.uint8)
    kept: list[str] = []
    skipped: list[tuple[str, str]] = []
    for done, (name, read) in enumerate(readers, start=1):
        try:
            image = read()
        except ImageError as error:
            if errors == "raise":
                raise
            skipped.append((printable(name), str(error)))
        else:
            images = _with_room(images, image, kept, name, len(readers))
            images[len(kept)] = image
            kept.append(name)
        if progress is not None:
            progress(done, len(readers))
    return images[: len(kept)], kept, skipped


def _with_room(images: Images, image: Images, kept: list[str], name: str, total: int) -> Images:
    """Return `images`, with room for all once two have shown that they have one size."""
    if not kept:
        return np.empty((1, *image.shape), np.uint8)
    if image.shape != images.shape[1:]:
        raise ImageError(
            printable(
                f"{name}: is {image.shape[:2]}, {kept[0]} is {images.shape[1:3]}: "
                "images of several sizes need size="
            )
        )
    if len(images) > 1:
        return images
    room = allocate((total, *image.shape))
    room[0] = images[0]
    return room
