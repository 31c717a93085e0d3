"""Weighted prefix distance."""

from __future__ import annotations

from typing import Any

from ..checks import check_int, check_number
from ..codes import check_bits
from ..errors import ParameterError
from .rule import Rule

__all__ = ["WeightedPrefix"]

# Above, what differs in the rest would be lost to rounding.
MAX_WEIGHT = 2.0**40


class WeightedPrefix(Rule):
    """``weight * d_s + d_r``: the bits that differ in the prefix, and those in the rest.

    For codes whose first bits say what an image shows, and the rest how it looks. At a weight of
    1 this is Hamming distance; at more than ``bits - prefix_bits`` the prefix comes first and the
    rest orders what ties in it; at 0 the rest alone counts. Of a weight of whole numbers all
    distances are whole numbers.

    Parameters
    ----------
    bits : int
        Length of a code, at least 2.
    prefix_bits : int
        Length of its first part, 1 to ``bits - 1``.
    weight : float
        0 to 2 ** 40.

    Raises
    ------
    ParameterError, DTypeError
        If a number is out of its range, NaN, or none.

    Examples
    --------
    Two bits say what it is. The second code differs in one of these, the third in two others:

    >>> rule = WeightedPrefix(bits=8, prefix_bits=2, weight=4)
    >>> rule.distances([[0b11_000000]], [[0b11_000000], [0b10_000000], [0b11_110000]])
    array([[0., 4., 2.]])
    """

    name = "weighted-prefix"

    def __init__(self, bits: int, prefix_bits: int, weight: float = 1.0) -> None:
        self.bits = check_bits(bits)
        self.prefix_bits = check_int("prefix_bits", prefix_bits)
        if not 1 <= self.prefix_bits < self.bits:
            raise ParameterError(
                f"prefix_bits: expected 1 to {self.bits - 1} of {self.bits} bits, got {prefix_bits}"
            )
        self.weight = float(check_number("weight", weight, least=0))
        if self.weight > MAX_WEIGHT:
            raise ParameterError(
                f"weight: expected at most {MAX_WEIGHT:.0f}, got {weight}; more than "
                f"{self.bits - self.prefix_bits} puts the prefix first"
            )

    def prices(self) -> tuple[float, float]:
        """Return what a bit of the prefix, and one of the rest, counts."""
        return self.weight, 1.0

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "rule": self.name,
            "bits": self.bits,
            "prefix_bits": self.prefix_bits,
            "weight": self.weight,
        }

    def summary(self) -> str:
        """Return its parameters in a few words."""
        return f"{self.bits}, prefix_bits={self.prefix_bits}, weight={self.weight:g}"
