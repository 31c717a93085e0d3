"""Images as JPEGs for the page: made when they are asked for, and kept.

They are decoded by worker processes and encoded anew: nothing of a file but its pixels is sent.
"""

from __future__ import annotations

import asyncio
import io
import os
import tempfile
import threading
from collections import OrderedDict
from contextlib import suppress
from typing import Any

from ..collection.images import Image
from ..extras import import_extra
from ..images.reading import Limits, Read
from ..types import Images
from .decoding import Decoder

__all__ = ["SIDES", "Pictures"]

SIDES = {"thumbnail": 360, "picture": 1600}
_QUALITY = {"thumbnail": 82, "picture": 88}
_FOLDER = "thumbnails"
_MEMORY = 64 * 2**20
_WAITING = 2000
# Files of an image that are tried.
_TRIES = 3


class Pictures:
    """JPEGs of images by the hash of their content.

    Parameters
    ----------
    store : str
        Thumbnails are kept there where it can be written; else, as what is larger, in memory.
    """

    def __init__(self, store: str) -> None:
        self._folder: str | None = os.path.join(store, _FOLDER)
        self._memory = _Memory(_MEMORY)
        self._decoders = {
            size: Decoder(side, Limits(seconds=20), 2 if size == "thumbnail" else 1, _WAITING)
            for size, side in SIDES.items()
        }

    async def jpeg(self, image: Image, size: str) -> bytes | None:
        """Return an image in a size, None if no file of it can be read now.

        Parameters
        ----------
        image : Image
        size : {"thumbnail", "picture"}
        """
        key = f"{image.content.hex()}-{SIDES[size]}"
        known = self._memory.get(key) or await asyncio.to_thread(self._load, key)
        if known is not None:
            return known
        present = [file.path for file in image.files if file.state == "present"]
        for path in present[:_TRIES]:
            result = await asyncio.wrap_future(self._decoders[size].submit(path))
            # Another content is another image, which the collection does not know yet.
            if isinstance(result, Read) and result.content == image.content:
                data = await asyncio.to_thread(_jpeg, result.pixels, _QUALITY[size])
                await asyncio.to_thread(self._keep, key, data, size)
                return data
        return None

    def close(self) -> None:
        """End the worker processes."""
        for decoder in self._decoders.values():
            decoder.close()

    def _path(self, key: str) -> str | None:
        return self._folder and os.path.join(self._folder, key[:2], f"{key}.jpg")

    def _load(self, key: str) -> bytes | None:
        path = self._path(key)
        if path is not None:
            with suppress(OSError), open(path, "rb") as file:
                return file.read()
        return None

    def _keep(self, key: str, data: bytes, size: str) -> None:
        path = self._path(key)
        if path is not None and size == "thumbnail":
            try:
                _write(path, data)
                return
            except OSError:
                # A store that cannot be written, or a full disk.
                pass
        self._memory.put(key, data)


class _Memory:
    """The bytes that were asked for last, up to a size."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: str, data: bytes) -> None:
        with self._lock:
            self._size += len(data) - len(self._kept.pop(key, b""))
            self._kept[key] = data
            while self._size > self._most:
                self._size -= len(self._kept.popitem(last=False)[1])


def _write(path: str, data: bytes) -> None:
    """Write a file whole or not at all; it is not waited for until it is on the disk."""
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        os.remove(name)
        raise


def _jpeg(pixels: Images, quality: int) -> bytes:
    pillow: Any = import_extra("PIL.Image", "images")
    buffer = io.BytesIO()
    pillow.fromarray(pixels).save(buffer, "JPEG", quality=quality, optimize=False)
    return buffer.getvalue()
