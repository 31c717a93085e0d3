"""How an image looks: the hash PDQ, and how much there is to see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...features.perceptual import pdq, pdq_within_borders
from ...types import Codes, Floats, Images
from .features import SIDE

__all__ = ["Borderless", "Perceptual"]


class Perceptual:
    """PDQ: 256 bits of the lowest frequencies of a picture, whatever its size.

    Its quality, from 0 to 1, says how much of a picture there is: below about a half it is too
    plain for its code to mean anything.
    """

    name = "perceptual"
    fingerprint = "pdq-512"
    bits = 256
    # What the reference program scales to before hashing.
    side = SIDE
    settings: dict[str, Any] = {"kind": "perceptual"}  # noqa: RUF012  (never changed)
    code_of = staticmethod(pdq)

    def encode(self, pictures: Sequence[Images], /) -> tuple[Codes, Floats]:
        """Return codes (n, 32) and qualities (n,)."""
        codes = np.empty((len(pictures), 32), np.uint8)
        quality = np.empty(len(pictures))
        for row, picture in enumerate(pictures):
            codes[row], quality[row] = self.code_of(picture)
        return codes, quality


class Borderless(Perceptual):
    """PDQ of a picture without the borders of one colour that it has, whatever is written on them.

    Of a picture without any it is the code of :class:`Perceptual`.
    """

    name = "borderless"
    fingerprint = "pdq-512-borderless-1"
    settings: dict[str, Any] = {"kind": "borderless"}  # noqa: RUF012  (never changed)
    code_of = staticmethod(pdq_within_borders)
