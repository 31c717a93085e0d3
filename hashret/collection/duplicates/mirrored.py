"""Codes of a mirrored or turned picture, from the code of the picture alone.

A bit of PDQ says whether a coefficient of a discrete cosine transform exceeds the median of all,
which is near zero. Mirroring changes the sign of the coefficients of odd frequency, so that their
bits turn round; exchanging the axes exchanges rows and columns. That is exact but for the
coefficients next to the median, about ten of the 256.
"""

from __future__ import annotations

import numpy as np

from ...types import Codes

__all__ = ["TRANSFORMS", "transformed"]

# What makes a member of its keeper, as Pillow calls it; the first is nothing.
TRANSFORMS = (
    None,
    "flip_left_right",
    "flip_top_bottom",
    "rotate_180",
    "transpose",
    "rotate_90",
    "rotate_270",
    "transverse",
)
_SIDE = 16


def transformed(codes: Codes) -> Codes:
    """Return the codes of the eight mirrorings and quarter turns of pictures.

    Parameters
    ----------
    codes : ndarray of uint8, shape (n, 32)

    Returns
    -------
    codes : ndarray of uint8, shape (8, n, 32)
        In the order of `TRANSFORMS`.

    References
    ----------
    Facebook: The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm, 2019.
    """
    bits = np.unpackbits(codes, axis=1).reshape(-1, _SIDE, _SIDE).astype(bool)
    # The code has the highest frequency first, and ends with the first above the mean.
    odd = np.arange(_SIDE) % 2 == 1
    rows, columns = odd[:, None], odd[None, :]
    turned = bits.transpose(0, 2, 1)
    made = (
        bits,
        bits ^ columns,
        bits ^ rows,
        bits ^ rows ^ columns,
        turned,
        turned ^ rows,
        turned ^ columns,
        turned ^ rows ^ columns,
    )
    return np.packbits(np.stack(made).reshape(len(made), len(codes), -1), axis=2)
