"""Hamming distance, as a rule."""

from __future__ import annotations

from typing import Any

from ..codes import check_bits
from .rule import Rule

__all__ = ["Hamming"]

# Codes are looked through prefix by prefix; the distance does not depend on how long that is.
_PREFIX = 8


class Hamming(Rule):
    """How many bits differ: what an index orders by itself.

    As a rule it is of use in :class:`FloatQuery`, and beside other rules.

    Parameters
    ----------
    bits : int
        Length of a code.

    Examples
    --------
    >>> Hamming(8).distances([[0b1100]], [[0b1100], [0b0011]])
    array([[0., 4.]])
    """

    name = "hamming"

    def __init__(self, bits: int) -> None:
        self.bits = check_bits(bits)
        self.prefix_bits = min(self.bits, _PREFIX)

    def prices(self) -> tuple[float, float]:
        """Return what a bit of the prefix, and one of the rest, counts."""
        return 1.0, 1.0

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"rule": self.name, "bits": self.bits}

    def summary(self) -> str:
        """Return its parameters in a few words."""
        return f"{self.bits}"
