"""Borders of a picture: frames, caption bars, the rest of a screen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["trimmed"]

Picture = npt.NDArray[np.uint8]

# A line belongs to a border if so many of its pixels have its colour, nearly: text on it may not.
_SHARE = 0.6
_NEAR = 20
# Less of a picture than this is no picture any more.
_LEAST = 0.2


def trimmed(picture: Picture) -> Picture:
    """Return a picture without its borders; all of it if hardly anything would be left.

    Parameters
    ----------
    picture : ndarray of uint8, shape (h, w, 3)

    Examples
    --------
    >>> import numpy as np
    >>> picture = np.zeros((60, 40, 3), np.uint8)
    >>> picture[20:50, 5:] = np.arange(35)[:, None] * 7
    >>> trimmed(picture).shape
    (30, 29, 3)
    """
    top, bottom = _border(picture), _border(picture[::-1])
    rows = picture[top : len(picture) - bottom]
    if not len(rows):
        return picture
    columns = rows.transpose(1, 0, 2)
    left, right = _border(columns), _border(columns[::-1])
    inside = rows[:, left : rows.shape[1] - right]
    enough = inside.shape[0] * inside.shape[1] >= _LEAST * picture.shape[0] * picture.shape[1]
    return inside if enough and inside.shape != picture.shape else picture


def _border(lines: Picture) -> int:
    """Return how many lines from the first on have mostly the colour of the first."""
    colour = np.median(lines[0], axis=0).astype(np.int16)
    # Few lines are looked at where there is no border.
    for count, line in enumerate(lines):
        near = np.abs(line - colour).max(axis=1) <= _NEAR
        if near.mean() < _SHARE:
            return count
    return len(lines)
