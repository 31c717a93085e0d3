"""How an image looks: the hash PDQ, and how much there is to see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...extras import import_extra
from ...types import Codes, Floats, Images
from .features import SIDE

__all__ = ["Perceptual"]


class Perceptual:
    """PDQ: 256 bits of the lowest frequencies of a picture, whatever its size.

    Its quality, from 0 to 1, says how much of a picture there is: below about a half it is too
    plain for its code to mean anything.

    References
    ----------
    Facebook: The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm, 2019.
    """

    name = "perceptual"
    fingerprint = "pdq-512"
    bits = 256
    # What the reference program scales to before hashing.
    side = SIDE
    settings: dict[str, Any] = {"kind": "perceptual"}  # noqa: RUF012  (never changed)

    def __init__(self) -> None:
        self._pdq: Any = import_extra("pdqhash", "collection")

    def encode(self, pictures: Sequence[Images], /) -> tuple[Codes, Floats]:
        """Return codes (n, 32) and qualities (n,)."""
        codes = np.empty((len(pictures), 32), np.uint8)
        quality = np.empty(len(pictures))
        for row, picture in enumerate(pictures):
            bits, score = self._pdq.compute(np.ascontiguousarray(picture))
            codes[row], quality[row] = np.packbits(bits), score / 100
        return codes, quality
