"""Products whose signs do not depend on what else was computed with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..types import Codes, Floats
from .blocks import Table, blocks, centred, not_finite

_EPS = float(np.finfo(np.float64).eps)
# What is lost of products, and of lengths, whose numbers are too small for float64.
_LEAST, _SHORTEST = 1e-300, 1e-150
_FLOAT32 = np.finfo(np.float32)
# Of a block: rows at least, and columns at most, so that its part of the axes stays in the cache.
_ROWS, _COLUMNS = 512, 1024


def rounding(axes: Floats) -> float:
    """Return twice the most by which two ways of summing differ, for a row of length 1."""
    longest = float(np.sqrt(np.einsum("ij,ij->j", axes, axes).max()))
    # Any order of summing d products is off by d * eps / 2 times both lengths at most
    # (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1).
    return 2 * (len(axes) + 8) * _EPS * longest


@dataclass
class Projection:
    """Margins ``finish((x - mean) @ axes)`` whose signs depend on a row alone.

    A matrix product sums in another order in another batch, or on other threads, and may turn
    the sign of what is nearly zero. So margins within ``slope * |x - mean| + floor`` of zero are
    computed again, each by itself and always in the same order. With `slope` and `floor` at
    least twice what the order can change, a sign is that of the second computation, always.

    Parameters
    ----------
    mean : ndarray of float64, shape (d,)
    axes : ndarray of float64, shape (d, bits)
    finish : callable
        From products (n, bits) or (n,), and the numbers of their bits, to margins, element by
        element.
    slope, floor : float
    """

    mean: Floats
    axes: Floats
    finish: Callable[[Floats, Any], Floats]
    slope: float
    floor: float

    def codes(self, features: Table) -> Codes:
        """Return the packed codes of all rows."""
        codes = np.empty((len(features), (self.axes.shape[1] + 7) // 8), np.uint8)
        for rows in self.blocks(len(features)):
            codes[rows] = np.packbits(self.bits(features[rows], rows.start)[0], axis=1)
        return codes

    def margins(self, features: Table) -> npt.NDArray[np.float32]:
        """Return the margins of all rows, positive where the bits are set."""
        whole = np.empty((len(features), self.axes.shape[1]), np.float32)
        for rows in self.blocks(len(features)):
            bits, margins = self.bits(features[rows], rows.start)
            round_margins(margins, bits, whole[rows])
        return whole

    def blocks(self, count: int) -> Iterator[slice]:
        """Cut `count` rows into slices whose numbers the processor's cache holds."""
        step = max(_ROWS, 2**17 // max(self.axes.shape))
        return (slice(start, start + step) for start in range(0, count, step))

    def bits(self, features: Table, start: int) -> tuple[npt.NDArray[np.bool_], Floats]:
        """Return bits and margins of rows; the first is row `start` of the caller's table.

        Bits are set where margins are positive.
        """
        products, lengths = self._products(features)
        if not np.isfinite(lengths).all():
            raise not_finite(features, start, lengths)
        margins = self.finish(products, slice(None))
        least = self.floor + _LEAST
        unsure = self.slope * lengths.max() + least  # one for all rows compares faster
        bits: npt.NDArray[np.bool_] = margins > unsure
        if (bits != (margins >= -unsure)).any():
            doubtful = np.abs(margins) <= (self.slope * lengths + least)[:, None]
            # Rows and axes of zeros have no order to depend on.
            doubtful &= self.axes.any(axis=0)
            doubtful[self._zeros(features, lengths)] = False
            self._compute_again(margins, np.nonzero(doubtful), features)
            bits = margins > 0
        return bits, margins

    def _products(self, features: Table) -> tuple[Floats, Floats]:
        """Return the products with the axes, and the lengths of the centred rows."""
        products: Floats | float = 0.0
        squares: Floats | float = 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            for columns in _column_blocks(features.shape[1]):
                block = centred(features[:, columns], self.mean[columns])
                squares = np.einsum("ij,ij->i", block, block) + squares
                product = block @ self.axes[columns]
                products = product if isinstance(products, float) else products + product
            return np.asarray(products), np.sqrt(squares) + _SHORTEST

    def _zeros(self, features: Table, lengths: Floats) -> npt.NDArray[np.intp]:
        """Return the numbers of the rows that are the mean, to the last digit."""
        short = np.flatnonzero(lengths <= _SHORTEST)
        return short[~centred(features[short], self.mean).any(axis=1)]

    def _compute_again(
        self, margins: Floats, entries: tuple[npt.NDArray[np.intp], ...], features: Table
    ) -> None:
        """Compute the margins of some rows and bits, each by itself."""
        directions = np.ascontiguousarray(self.axes.T)
        for part in blocks(len(entries[0]), len(self.axes)):
            row, bit = entries[0][part], entries[1][part]
            # numpy sums along contiguous rows pairwise, by their length alone.
            products = (centred(features[row], self.mean) * directions[bit]).sum(axis=1)
            margins[row, bit] = self.finish(products, bit)


def round_margins(
    margins: Floats, bits: npt.NDArray[np.bool_], rounded: npt.NDArray[np.float32]
) -> None:
    """Write margins as float32, finite, and positive where the bits are set."""
    try:
        with np.errstate(over="raise", under="raise"):
            rounded[:] = margins
    except FloatingPointError:
        rounded[:] = margins.clip(-_FLOAT32.max, _FLOAT32.max)
        rounded[bits & (rounded == 0)] = _FLOAT32.smallest_subnormal


def _column_blocks(count: int) -> Iterator[slice]:
    return (slice(at, at + _COLUMNS) for at in range(0, count, _COLUMNS))
