"""Images as JPEGs for the page: made when they are asked for, and kept.

They are decoded by worker processes and encoded anew: nothing of a file but its pixels is sent.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict

from ..collection.images import Image
from ..images.reading import Read
from .decoding import Decoder
from .thumbnails import LIMITS, SIDE, jpeg_of, keep_thumbnail, kept_thumbnail

__all__ = ["SIDES", "Pictures"]

SIDES = {"thumbnail": SIDE, "picture": 1600}
_QUALITY = {"thumbnail": 82, "picture": 88}
# Content and size.
_Key = tuple[bytes, str]
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
        self._store = store
        self._memory = _Memory(_MEMORY)
        self._decoders = {
            size: Decoder(side, LIMITS, 2 if size == "thumbnail" else 1, _WAITING)
            for size, side in SIDES.items()
        }

    def name_of(self, image: Image, size: str) -> str:
        """Return what an image in a size is called, whichever collection it is in."""
        return f"{image.content.hex()}-{SIDES[size]}"

    async def jpeg(self, image: Image, size: str) -> bytes | None:
        """Return an image in a size, None if no file of it can be read now.

        Parameters
        ----------
        image : Image
        size : {"thumbnail", "picture"}
        """
        key = image.content, size
        known = self._memory.get(key)
        if known is None and size == "thumbnail":
            known = await asyncio.to_thread(kept_thumbnail, self._store, image.content)
        if known is not None:
            return known
        present = [file.path for file in image.files if file.state == "present"]
        for path in present[:_TRIES]:
            result = await asyncio.wrap_future(self._decoders[size].submit(path))
            # Another content is another image, which the collection does not know yet.
            if isinstance(result, Read) and result.content == image.content:
                data = await asyncio.to_thread(jpeg_of, result.pixels, _QUALITY[size])
                await asyncio.to_thread(self._keep, key, data)
                return data
        return None

    def close(self) -> None:
        """End the worker processes."""
        for decoder in self._decoders.values():
            decoder.close()

    def _keep(self, key: _Key, data: bytes) -> None:
        content, size = key
        if size == "thumbnail":
            try:
                keep_thumbnail(self._store, content, data)
                return
            except OSError:
                # A store that cannot be written, or a full disk.
                pass
        self._memory.put(key, data)


class _Memory:
    """The bytes that were asked for last, up to a size."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key) -> bytes | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: _Key, data: bytes) -> None:
        with self._lock:
            self._size += len(data) - len(self._kept.pop(key, b""))
            self._kept[key] = data
            while self._size > self._most:
                self._size -= len(self._kept.popitem(last=False)[1])
