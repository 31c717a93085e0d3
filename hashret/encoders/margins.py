"""Products whose signs do not depend on what they were computed with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .blocks import Floats, blocks

_EPS = float(np.finfo(np.float64).eps)
# Below this float32 loses digits, and at last the sign.
_LEAST = float(np.finfo(np.float32).tiny)

# From products (n, bits) or (n,), and the numbers of their bits, to margins.
Finish = Callable[[Floats, Any], Floats]


def rounding(axes: Floats) -> float:
    """Return twice the most by which two ways of summing differ, for a row of length 1."""
    features = len(axes)
    longest = float(np.sqrt(np.einsum("ij,ij->j", axes, axes).max()))
    # Any order of summing d products is off by d * eps / 2 times both lengths at most
    # (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1).
    return 2 * (features + 8) * _EPS * longest


def stable_margins(
    rows: Floats, lengths: Floats, axes: Floats, finish: Finish, slope: float, floor: float = 0.0
) -> npt.NDArray[np.float32]:
    """Return ``finish(rows @ axes)``, whose signs depend on a row alone.

    A matrix product sums in another order in another batch, or on other threads, and may turn
    the sign of what is nearly zero. So margins within ``slope * length + floor`` of zero are
    computed again, each by itself and always in the same order. With `slope` and `floor` at
    least twice what the order can change, a sign is that of the second computation, always.

    Parameters
    ----------
    rows : ndarray of float64, shape (n, d), C-contiguous
    lengths : ndarray of float64, shape (n,)
        Euclidean lengths of the rows.
    axes : ndarray of float64, shape (d, bits)
    finish : callable
        From products and the numbers of their bits to margins, element by element.
    """
    margins = finish(rows @ axes, slice(None))
    doubtful = np.abs(margins) <= (slope * lengths + (floor + _LEAST))[:, None]
    with np.errstate(over="ignore"):
        rounded = margins.astype(np.float32)
    if doubtful.any():
        # A row of zeros has no order to depend on.
        doubtful[lengths == 0] = False
        _settle(rounded, np.nonzero(doubtful), rows, axes, finish)
    return rounded


def _settle(
    margins: npt.NDArray[np.float32],
    places: tuple[npt.NDArray[np.intp], ...],
    rows: Floats,
    axes: Floats,
    finish: Finish,
) -> None:
    directions = np.ascontiguousarray(axes.T)
    for part in blocks(len(places[0]), len(axes)):
        row, column = places[0][part], places[1][part]
        # numpy sums along contiguous rows pairwise, by their length alone.
        products = (rows[row] * directions[column]).sum(axis=1)
        margins[row, column] = finish(products, column)
