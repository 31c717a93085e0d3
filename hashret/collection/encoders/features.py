"""What an encoder that is fitted to a collection sees of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...extras import import_extra
from ...images.scaling import shrunk
from ...types import Images

__all__ = ["SIDE", "Features", "Vectors", "squared"]

Vectors = npt.NDArray[np.float32]

# Every encoder is given pictures of this side, so that what it sees of one does not depend on
# which others the collection has.
SIDE = 512


class Features(Protocol):
    """From pictures to vectors."""

    @property
    def settings(self) -> dict[str, Any]:
        """What makes it again, as JSON has it; equal ones give equal vectors."""

    def describe(self, pictures: Sequence[Images], /) -> Vectors:
        """Return a vector a picture, whatever others it comes with; shape (n, d)."""


def squared(picture: Images, size: int) -> Images:
    """Scale a picture to a square.

    Examples
    --------
    >>> squared(np.zeros((30, 20, 3), np.uint8), 16).shape
    (16, 16, 3)
    """
    height, width = picture.shape[:2]
    if (height, width) == (size, size):
        return picture
    if min(height, width) >= size:
        return shrunk(picture, size, size, bilinear=True)
    pil: Any = import_extra("PIL.Image", "images")
    image = pil.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize((size, size), pil.Resampling.BILINEAR))
