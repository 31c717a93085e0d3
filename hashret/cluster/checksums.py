"""Whether two places have the same codes, told by 8 bytes of each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..types import Codes

__all__ = ["Checksums", "checksums"]

Checksums = npt.NDArray[np.uint64]
# Odd, so that no word of a code is lost by multiplying: SplitMix64's (Steele et al., 2014).
_ODD = np.uint64(0xBF58476D1CE4E5B9)


def checksums(codes: Codes) -> Checksums:
    """Return of each packed code a number that another code hardly has."""
    padded = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 8)))
    found = np.zeros(len(codes), np.uint64)
    for word in np.ascontiguousarray(padded).view("<u8").T:
        found = (found ^ word) * _ODD
        found ^= found >> np.uint64(32)
    return found
