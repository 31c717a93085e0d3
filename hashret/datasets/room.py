"""Memory for the pixels of many images: asked for before the first of them is decoded."""

from __future__ import annotations

import contextlib
import math
import os

import numpy as np

from ..errors import ImageError
from ..types import Images

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
# What any machine has, so that small calls ask no files.
_SMALL = 2**30


def allocate(shape: tuple[int, ...]) -> Images:
    """Return an empty array (n, height, width[, 3]); an ImageError if there is no memory for it."""
    check_room(shape)
    try:
        return np.empty(shape, np.uint8)
    except (MemoryError, ValueError) as error:
        raise _no_room(shape) from error


def check_room(shape: tuple[int, ...]) -> None:
    """Raise an ImageError if images of a shape cannot fit into memory."""
    if math.prod(shape) > _SMALL and math.prod(shape) > memory_limit():
        raise _no_room(shape)


def memory_limit() -> float:
    """Return the bytes of memory of the machine, or of the process' control group if fewer."""
    limits = [math.inf]
    with contextlib.suppress(AttributeError, ValueError, OSError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in _CGROUP_LIMITS:
        # Without a limit the file says "max".
        with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
            limits.append(int(file.read()))
    return min(limits)


def _no_room(shape: tuple[int, ...]) -> ImageError:
    count, *each = shape
    return ImageError(
        f"{count} images of {tuple(each)} take {math.prod(shape) / 1e9:.1f} GB, more memory than "
        "there is; pass a smaller size=, or read fewer images at a time"
    )
