"""The program of a worker process: files are read once, hashed and decoded, under limits.

It is started by :mod:`.process`. Torch is never imported here.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import mmap
import os
import signal
import sys
import warnings
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from ...errors import ImageError
from ...extras import import_extra
from ..decoding import most_bytes, printable
from ..formats import SIGNATURE_BYTES, begins_like_picture, picture_suffixes
from ..regular_files import open_regular
from .image import read_picture
from .protocol import LONGEST_REASON, READY, Settings, answer, tasks
from .results import CodeOf


class _NoPictureError(Exception):
    """Neither the name nor the first bytes of a file are those of a picture."""


def main() -> None:
    """Answer the tasks on the standard input until it ends."""
    settings = Settings.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    import_extra("PIL.Image", "images").preinit()
    functions = {name: _imported(place) for name, place in settings.functions.items()}
    stream, output = _take_streams()
    shared = mmap.mmap(settings.shared, settings.slots * settings.slot_bytes)
    _limit_memory(settings.memory)
    os.write(output, READY)
    try:
        for slot, path in tasks(stream):
            # The parent ends a worker that is late; this ends one whose parent is no more.
            signal.setitimer(signal.ITIMER_REAL, 2 * settings.seconds + 10)
            os.write(output, answer(slot, **_answer(path, slot, shared, settings, functions)))
            signal.setitimer(signal.ITIMER_REAL, 0)
    except BrokenPipeError:
        pass


def _take_streams() -> tuple[BinaryIO, int]:
    """Keep the pipes to the parent for ourselves: libraries print to where these were."""
    stream, output = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)
    return stream, output


def _limit_memory(most: int) -> None:
    import resource

    # Of Linux the former counts what is allocated and no more; elsewhere it counts little.
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    try:
        resource.setrlimit(kind, (most, most))
    except (OSError, ValueError):
        # Some systems hold a limit below what is mapped already, for an error.
        return


def _imported(place: str) -> CodeOf:
    module, _, name = place.partition(":")
    function: CodeOf = getattr(importlib.import_module(module), name)
    return function


def _answer(
    path: bytes,
    slot: int,
    shared: mmap.mmap,
    settings: Settings,
    functions: Mapping[str, CodeOf],
) -> dict[str, Any]:
    content, is_picture = None, True
    try:
        suffix = os.path.splitext(os.fsdecode(path))[1]
        data, mtime_ns = _bytes_of(path, settings.pixels, suffix)
        content = hashlib.sha256(data).hexdigest()
        picture = read_picture(data, settings.side, settings.pixels, suffix)
        made = {name: function(picture.pixels) for name, function in functions.items()}
    except _NoPictureError:
        reason, is_picture = "no picture", False
    except MemoryError:
        reason = f"needs more than {settings.memory >> 20} MiB of memory"
    except ImageError as error:
        reason = printable(str(error))[:LONGEST_REASON]
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or error
        reason = printable(f"cannot be read: {what}")[:LONGEST_REASON]
    else:
        if settings.shows:
            values = picture.pixels.reshape(-1)
            np.frombuffer(shared, np.uint8, values.size, slot * settings.slot_bytes)[:] = values
        return {
            "content": content,
            "size": len(data),
            "mtime_ns": mtime_ns,
            "format": picture.format,
            "width": picture.width,
            "height": picture.height,
            "taken": picture.taken,
            "shape": picture.pixels.shape[:2],
            "codes": {
                name: (code.tobytes().hex(), quality) for name, (code, quality) in made.items()
            },
        }
    return {"reason": reason, "content": content, "picture": is_picture}


@functools.cache
def _suffixes() -> frozenset[str]:
    return picture_suffixes()


def _bytes_of(path: bytes, max_pixels: int, suffix: str) -> tuple[bytes, int]:
    """Return the bytes of a file, and when it was changed before they were read.

    Of one that is no picture no more than the first bytes are read: it may be a film.
    """
    most = most_bytes(max_pixels)
    try:
        file = open_regular(path)
    except FileNotFoundError:
        if os.path.islink(path):
            raise ImageError("a link to what is not there") from None
        raise
    with file:
        status = os.fstat(file.fileno())
        head = file.read(SIGNATURE_BYTES)
        # Second, for the list of suffixes takes the import of all of pillow's formats.
        if not begins_like_picture(head) and suffix.lower() not in _suffixes():
            raise _NoPictureError
        file.seek(0)
        if status.st_size > most:
            raise ImageError(
                f"larger than {most:.0f} bytes, the most that {max_pixels} pixels may take"
            )
        return file.read(status.st_size), status.st_mtime_ns
