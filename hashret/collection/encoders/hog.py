"""The shapes in a picture: histograms of its gradients, for machines without a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...features import hog
from ...types import Images
from .features import Vectors, squared

__all__ = ["HogFeatures"]

_CELLS = 4  # along each side
_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


class HogFeatures:
    """Histograms of oriented gradients of a grey picture, scaled to a square.

    Parameters
    ----------
    size : int
        Side of the square, of four cells.
    """

    def __init__(self, size: int) -> None:
        self.settings: dict[str, Any] = {"features": "hog", "size": size}
        self._size = size

    def describe(self, pictures: Sequence[Images], /) -> Vectors:
        """Return vectors (n, 324), none negative."""
        grey = np.empty((len(pictures), self._size, self._size), np.uint8)
        for row, picture in enumerate(pictures):
            np.rint(squared(picture, self._size) @ _GREY, out=grey[row], casting="unsafe")
        cell = self._size // _CELLS
        return hog(grey, cell=(cell, cell))
