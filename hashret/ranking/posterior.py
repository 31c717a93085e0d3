"""How probable it is that two codes are of the same class, as a distance."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import as_real, check_number
from ..codes import as_codes
from ..errors import CodeError, ParameterError, ShapeError
from ..types import Codes, Floats
from .prefix import MAX_WEIGHT, WeightedPrefix

__all__ = ["MAX_CENTRES", "SameClass"]

# There is a cost for each pair of them: of so many 32 MB.
MAX_CENTRES = 2048
# Probabilities are whole multiples of this, so that sums of their products are exact.
_UNITS = 1 << 15


class SameClass(WeightedPrefix):
    r"""``-weight * log P + prefix_weight * d_s + d_r``, P that both are of the same class.

    The prefix of a code snaps to the nearest of the `centres` by Hamming distance, of several to
    the first: its *cell*. Each cell has the probabilities :math:`p_c` of the classes, of an image
    that is in it; of a query in cell i and a code in cell j

    .. math:: P = \sum_c p_{ic} \, p_{jc}

    which is the probability that two images are of the same class if cells are all that is known
    of them. A code whose class is not sure is farther from every query than one that is, also
    from those that are like it: no distance between codes alone can say that. The part of P is
    rounded to a whole number, and 0 for the best cell of a query.

    Parameters
    ----------
    bits, prefix_bits
        As of :class:`WeightedPrefix`.
    weight : float
        What a factor of e in probability counts, in bits of the rest.
    centres : array_like
        Packed codes of `prefix_bits` bits, uint8 (n_cells, ceil(prefix_bits / 8)), at most 2,048.
    posteriors : array_like of float, shape (n_cells, n_classes)
        Not negative, a row summing to 1. Taken in units of 2 ** -15.
    prefix_weight : float
        What a differing bit of the prefix counts beside.

    Raises
    ------
    ParameterError, DTypeError, ShapeError, CodeError
        If a number is out of its range, or centres or posteriors are not what they should be.

    References
    ----------
    A. Sablayrolles, M. Douze, N. Usunier, H. Jégou, "How should we evaluate supervised hashing?",
    ICASSP 2017, arXiv 1609.06753, ranks by products of a classifier's probabilities.

    Examples
    --------
    Cells are of one class, of another, and of either:

    >>> cells = {"centres": [[0b0000_0000], [0b0100_0000], [0b1100_0000]]}
    >>> rule = SameClass(4, 2, 10, posteriors=[[1, 0], [0, 1], [0.5, 0.5]], **cells)
    >>> codes = [[0b0000_0000], [0b0001_0000], [0b1100_0000], [0b0100_0000]]
    >>> rule.distances([[0b0000_0000], [0b1100_0000]], codes)
    array([[  0.,   1.,   7., 208.],
           [  0.,   1.,   0.,   0.]])
    """

    name = "same-class"

    def __init__(
        self,
        bits: int,
        prefix_bits: int,
        weight: float = 32.0,
        *,
        centres: npt.ArrayLike,
        posteriors: npt.ArrayLike,
        prefix_weight: float = 0.0,
    ) -> None:
        super().__init__(bits, prefix_bits, weight)
        self.centres = _centres(centres, self.prefix_bits)
        self.posteriors = _posteriors(posteriors, len(self.centres))
        self.prefix_weight = float(check_number("prefix_weight", prefix_weight, least=0))
        if self.prefix_weight > MAX_WEIGHT:
            raise ParameterError(
                f"prefix_weight: expected at most {MAX_WEIGHT:.0f}, got {prefix_weight}"
            )

    def prices(self) -> tuple[float, float]:
        """Return what a differing bit of the prefix, and one of the rest, counts."""
        return self.prefix_weight, 1.0

    def cells_of(self, codes: Codes) -> tuple[Floats, npt.NDArray[np.uint32]]:
        """Return what codes of each cell cost a query of each, and the cells of the queries."""
        own = self._classes(codes)
        assert own is not None
        return self._costs, own.astype(np.uint32)

    @cached_property
    def _costs(self) -> Floats:
        # Products and their sums are whole numbers below 2 ** 53: exact, in whichever order.
        nats = np.log(np.maximum(self.posteriors @ self.posteriors.T, 1.0))
        best = nats.max(axis=1, keepdims=True)
        return np.ascontiguousarray(np.rint(self.weight * (best - nats)))

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        assert self.centres is not None
        return super().as_dict() | {
            "centres": [centre.tobytes().hex() for centre in self.centres],
            "posteriors": (self.posteriors / _UNITS).tolist(),
            "prefix_weight": self.prefix_weight,
        }

    def summary(self) -> str:
        """Return its parameters in a few words."""
        assert self.centres is not None
        return f"{super().summary()}, {len(self.centres)} cells"


def _centres(centres: npt.ArrayLike, prefix_bits: int) -> Codes:
    packed = as_codes(centres, prefix_bits, "centres").copy()
    if not 1 <= len(packed) <= MAX_CENTRES:
        raise ShapeError(f"centres: expected 1 to {MAX_CENTRES}, got {len(packed)}")
    packed.flags.writeable = False
    return packed


def _posteriors(posteriors: npt.ArrayLike, count: int) -> Floats:
    """Return probabilities as whole numbers of units."""
    given = as_real("posteriors", posteriors)
    if given.ndim != 2 or len(given) != count or not given.size:
        raise ShapeError(f"posteriors: expected ({count}, n_classes), got {given.shape}")
    if not np.isfinite(given).all():
        raise CodeError("posteriors: expected finite values, got NaN or infinity")
    with np.errstate(over="ignore"):
        exact = given.astype(np.float64) * _UNITS
    units = np.rint(exact)
    # Of many classes, rounded rows need not sum to 1 any more: half a unit each may be lost.
    # Those of a saved rule are rounded, and come back as they were.
    rounded = (units == exact).all(axis=1)
    lost = np.where(rounded, units.shape[1] / 2, 0.0)
    if (given < 0).any() or (np.abs(exact.sum(axis=1) - _UNITS) > 0.01 * _UNITS + lost).any():
        raise ParameterError("posteriors: expected rows of probabilities that sum to 1")
    units.flags.writeable = False
    return units
