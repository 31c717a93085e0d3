"""The hash PDQ of a picture: how it looks, and how much there is to see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import _native
from ..errors import DTypeError, ShapeError
from .borders import trimmed

__all__ = ["pdq", "pdq_within_borders"]

Picture = npt.NDArray[np.uint8]


def pdq(picture: Picture) -> tuple[npt.NDArray[np.uint8], float]:
    """Return the code of a picture and its quality.

    Parameters
    ----------
    picture : ndarray of uint8, shape (h, w, 3)
        RGB.

    Returns
    -------
    code : ndarray of uint8, shape (32,)
        256 bits of the lowest frequencies.
    quality : float
        From 0 to 1; below about a half it is too plain for its code to mean anything.

    Raises
    ------
    DTypeError
        If `picture` is not of uint8.
    ShapeError
        If it has another shape.

    References
    ----------
    Facebook: The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm, 2019.
    """
    if picture.dtype != np.uint8:
        raise DTypeError(f"picture: expected uint8, got {picture.dtype}")
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise ShapeError(f"picture: expected (height, width, 3), got {picture.shape}")
    code = np.empty(32, np.uint8)
    rows, columns = picture.shape[:2]
    score = _native.pdq(np.ascontiguousarray(picture), rows, columns, code)
    return code, score / 100


def pdq_within_borders(picture: Picture) -> tuple[npt.NDArray[np.uint8], float]:
    """Return the code and quality of what is within the borders of a picture."""
    return pdq(trimmed(picture))
