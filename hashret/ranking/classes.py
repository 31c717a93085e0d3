"""Class-aware distance."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from ..checks import check_number
from ..codes import as_codes
from ..errors import ParameterError, ShapeError
from .prefix import WeightedPrefix

__all__ = ["ClassAware"]


class ClassAware(WeightedPrefix):
    """``share * weight * d_s + d_r`` within a class, and ``weight * d_s + d_r`` across classes.

    A prefix is of the class whose centre is nearest to it by Hamming distance, of the first of
    them if several are. Query and code are of the same class if their prefixes are.

    Parameters
    ----------
    bits, prefix_bits, weight
        As of :class:`WeightedPrefix`.
    centres : array_like
        Packed codes of `prefix_bits` bits, uint8 (n_classes, ceil(prefix_bits / 8)): what the
        prefixes of a class should be, such as the signs of their mean.
    share : float
        0 to 1: what is left of the prefix's part within a class.

    Raises
    ------
    ParameterError, DTypeError, ShapeError, CodeError
        If a number is out of its range, or the centres are no codes of that length.

    Examples
    --------
    >>> rule = ClassAware(8, 4, weight=4, centres=[[0b11110000], [0b00000000]])
    >>> query = [[0b1111_0000]]

    One bit from the query, in its class; and three bits, of the other:

    >>> rule.distances(query, [[0b1110_0000], [0b1000_0000]])
    array([[ 2., 12.]])
    """

    name = "class-aware"

    def __init__(
        self,
        bits: int,
        prefix_bits: int,
        weight: float = 1.0,
        *,
        centres: npt.ArrayLike,
        share: float = 0.5,
    ) -> None:
        super().__init__(bits, prefix_bits, weight)
        packed = as_codes(centres, self.prefix_bits, "centres").copy()
        if not len(packed):
            raise ShapeError("centres: expected one for each class, got none")
        packed.flags.writeable = False
        self.centres = packed
        self.share = float(check_number("share", share, least=0))
        if self.share > 1:
            raise ParameterError(f"share: expected a number <= 1, got {share}")

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        assert self.centres is not None
        centres = [centre.tobytes().hex() for centre in self.centres]
        return super().as_dict() | {"centres": centres, "share": self.share}

    def summary(self) -> str:
        """Return its parameters in a few words."""
        assert self.centres is not None
        return f"{super().summary()}, {len(self.centres)} centres, share={self.share:g}"
