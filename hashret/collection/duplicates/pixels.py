"""What files look like once decoded: equal pixel by pixel, or small, to be shown."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...extras import import_extra
from ...images.reading import Limits, Read, read_files

__all__ = ["pixel_digests", "previews"]

_PREVIEW_SIDE = 320
_PREVIEW_QUALITY = 80


def pixel_digests(
    paths: Mapping[bytes, bytes], side: int, limits: Limits | None = None
) -> dict[bytes, bytes]:
    """Hash all pixels of pictures, upright and in RGB.

    Parameters
    ----------
    paths : mapping of bytes to bytes
        By content, where it lies.
    side : int
        The longer side of the largest.
    limits : Limits, optional

    Returns
    -------
    digests : dict of bytes to bytes
        By content; without those that cannot be read, or hold something else now.
    """
    return {
        read.content: hashlib.sha256(read.pixels.tobytes()).digest()
        for read in _reads(paths, side, limits)
    }


def previews(paths: Mapping[bytes, bytes], side: int = _PREVIEW_SIDE) -> dict[bytes, str]:
    """Return small pictures by content, as a page embeds them."""
    image: Any = import_extra("PIL.Image", "images")
    found = {}
    for read in _reads(paths, side, None):
        buffer = io.BytesIO()
        image.fromarray(read.pixels).save(buffer, "JPEG", quality=_PREVIEW_QUALITY)
        found[read.content] = (
            f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        )
    return found


def _reads(paths: Mapping[bytes, bytes], side: int, limits: Limits | None) -> Iterator[Read]:
    requests: Iterable[tuple[bytes, bytes]] = paths.items()
    for read in read_files(requests, side=side, limits=limits):
        if isinstance(read, Read) and read.content == read.token:
            yield read
