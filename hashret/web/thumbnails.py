"""Small JPEGs of images as files of a store, and those of the latest images made ahead."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ..collection import Collection
from ..collection.images import images_of
from ..extras import import_extra
from ..files import write_bytes
from ..images.reading import Limits, Read, read_files
from ..types import Images

__all__ = ["LIMITS", "SIDE", "jpeg_of", "keep_thumbnail", "kept_thumbnail", "make_thumbnails"]

SIDE = 360
LIMITS = Limits(seconds=20)
_QUALITY = 82
_FOLDER = "thumbnails"
_AT_ONCE = 500


def jpeg_of(pixels: Images, quality: int = _QUALITY) -> bytes:
    """Return pixels as a JPEG."""
    pillow: Any = import_extra("PIL.Image", "images")
    buffer = io.BytesIO()
    pillow.fromarray(pixels).save(buffer, "JPEG", quality=quality, optimize=False)
    return buffer.getvalue()


def kept_thumbnail(store: str, content: bytes) -> bytes | None:
    """Return the thumbnail of a content, None if there is none."""
    with suppress(OSError), open(_path(store, content), "rb") as file:
        return file.read()
    return None


def keep_thumbnail(store: str, content: bytes, data: bytes) -> None:
    """Write a thumbnail whole or not at all; it is not waited for until it is on the disk.

    Raises
    ------
    OSError
        As of a store that cannot be written, or a full disk.
    """
    path = _path(store, content)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_bytes(path, data, sync=False)


def make_thumbnails(store: str, most: str) -> None:
    """Make the thumbnails of the latest images, so many, as far as they lack; one at a time."""
    with Collection.open(store) as collection:
        lacking = _lacking(collection, int(most))
        for result in read_files(lacking, side=SIDE, limits=LIMITS, workers=1):
            # Another content is another image, which the collection does not know yet.
            if isinstance(result, Read) and result.content == result.token:
                keep_thumbnail(collection.store, result.content, jpeg_of(result.pixels))


def _lacking(collection: Collection, most: int) -> Iterator[tuple[bytes, bytes]]:
    rows = collection.catalogue.execute("SELECT id FROM images ORDER BY id DESC LIMIT ?", (most,))
    while ids := [id for (id,) in rows.fetchmany(_AT_ONCE)]:
        for image in sorted(images_of(collection.catalogue, ids), reverse=True):
            file = image.files[0] if image.files else None
            if file is None or file.state != "present":
                continue
            if not os.path.exists(_path(collection.store, image.content)):
                yield image.content, file.path


def _path(store: str, content: bytes) -> str:
    name = content.hex()
    return os.path.join(store, _FOLDER, name[:2], f"{name}-{SIDE}.jpg")
