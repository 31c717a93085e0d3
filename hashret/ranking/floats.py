"""Float queries: real-valued outputs against binary codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import as_real
from ..codes import unpack
from ..errors import CodeError, DTypeError, ParameterError, ShapeError
from ..types import Codes, Floats
from .rule import Asked, Rule

__all__ = ["FloatQuery", "mean_margins"]

# Costs are multiples of the largest's last of so many binary digits: sums of 4,096 are exact.
_DIGITS = 40


class FloatQuery(Rule):
    """A rule in which a differing bit counts as much as the query is sure of it.

    In place of 1, a bit costs ``abs(margin) / scale``: the margin is what the encoder's ``project``
    gives for the query, whose code is the signs of that. Different codes hardly ever tie; equal
    codes always do. The asymmetric distance of M. Jain, H. Jégou, P. Gros, "Asymmetric Hamming
    embedding", ACM Multimedia 2011; :func:`hashret.rerank.by_margins` orders candidates by it.

    Margins are taken as float32. What a bit costs, its weight included, is rounded to 40 binary
    digits below the query's largest cost: then no sum is rounded, whichever order it is made in.
    Float32 margins of the same size up to a factor of 65,536, without a scale, lose nothing by it.

    Parameters
    ----------
    rule : Rule
        Whose bits these are: ``FloatQuery(Hamming(64))`` is the plain asymmetric distance. None
        that takes margins itself.
    scale : array_like of float, shape (bits,), optional
        The margin at which a bit counts 1, such as :func:`mean_margins`; by default 1. Parts of a
        code that were learned apart have margins of different sizes, and without it the part of
        the larger ones decides. Taken as float32.

    Raises
    ------
    DTypeError, ShapeError, ParameterError
        If it is no such rule, or the scale is not one positive number a bit.

    Examples
    --------
    >>> from hashret.ranking import Hamming, WeightedPrefix
    >>> margins = [[0.5, -2.0, 3.0, -0.5]]
    >>> codes = [[0b0010_0000], [0b1110_0000]]
    >>> FloatQuery(Hamming(4)).distances(margins, codes)
    array([[0.5, 2. ]])
    >>> FloatQuery(WeightedPrefix(4, 1, weight=8)).distances(margins, codes)
    array([[4., 2.]])
    >>> FloatQuery(Hamming(4), scale=[0.5, 4, 1, 1]).distances(margins, codes)
    array([[1. , 0.5]])
    """

    name = "float-query"
    takes = "margins"

    def __init__(self, rule: Rule, scale: npt.ArrayLike | None = None) -> None:
        if not isinstance(rule, Rule) or rule.takes != "codes":
            raise DTypeError(f"rule: expected a Rule that takes codes, got {rule!r}")
        self.rule = rule
        self.bits, self.prefix_bits = rule.bits, rule.prefix_bits
        self.centres, self.share = rule.centres, rule.share
        self.scale = None if scale is None else _scale(scale, self.bits)

    def prices(self) -> tuple[float, float]:
        """Return what a margin of the prefix, and one of the rest, is multiplied by."""
        return self.rule.prices()

    def ask(self, queries: npt.ArrayLike) -> Asked:
        """Check margins, float (n_queries, bits), and return what the engine is to be asked."""
        margins = _margins(queries, self.bits)
        own, (prefix, rest) = self.prefix_bits, self.prices()
        costs = np.abs(margins, dtype=np.float64)
        if self.scale is not None:
            costs /= self.scale
        costs[:, :own] *= prefix
        costs[:, own:] *= rest
        costs = _rounded(costs)
        # The sums of none, of the least, of the two least, ...
        least = np.zeros((len(costs), self.bits + 2))
        np.cumsum(np.sort(costs[:, :own], axis=1), axis=1, out=least[:, 1 : own + 1])
        np.cumsum(np.sort(costs[:, own:], axis=1), axis=1, out=least[:, own + 2 :])
        codes = np.packbits(margins > 0, axis=1)
        return Asked(codes, least, costs, *self.cells_of(codes))

    def cells_of(self, codes: Codes) -> tuple[Floats | None, npt.NDArray[np.uint32] | None]:
        """Return what centres cost, as the rule has it."""
        return self.rule.cells_of(codes)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        known = {"rule": self.name, "of": self.rule.as_dict()}
        return known if self.scale is None else known | {"scale": self.scale.tolist()}

    def queries_of_codes(self, codes: Codes) -> Floats:
        """Return margins of codes: all bits equally sure."""
        sure: Floats = np.where(unpack(codes, self.bits), 1.0, -1.0)
        return sure if self.scale is None else sure * self.scale

    def summary(self) -> str:
        """Return its parameters in a few words."""
        return repr(self.rule) + ("" if self.scale is None else ", scaled")


def mean_margins(margins: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return how large the margins of each bit are: a `scale` of :class:`FloatQuery`.

    Parameters
    ----------
    margins : array_like of float, shape (n, bits)
        Of training images.

    Returns
    -------
    scale : ndarray of float32, shape (bits,)
        Means of their absolute values; where all of a bit are 0, a tiny number.

    Raises
    ------
    ShapeError, DTypeError, CodeError
        If these are no margins of at least one image.

    Examples
    --------
    >>> mean_margins([[1.0, -4.0], [-2.0, 0.0]])
    array([1.5, 2. ], dtype=float32)
    """
    given = as_real("margins", margins)
    if given.ndim != 2 or not given.size:
        raise ShapeError(f"margins: expected (n, bits) of at least one image, got {given.shape}")
    if not np.isfinite(given).all():
        raise CodeError("margins: expected finite values, got NaN or infinity")
    sizes: npt.NDArray[np.float32] = np.abs(given).mean(axis=0).astype(np.float32)
    sizes[sizes == 0] = np.finfo(np.float32).tiny
    return sizes


def _scale(scale: npt.ArrayLike, bits: int) -> npt.NDArray[np.float32]:
    given = as_real("scale", scale)
    if given.shape != (bits,):
        raise ShapeError(f"scale: expected ({bits},), a number a bit, got {given.shape}")
    with np.errstate(over="ignore", under="ignore"):
        found = given.astype(np.float32)
    unfit = np.flatnonzero(~(np.isfinite(found) & (found > 0)))
    if len(unfit):
        raise ParameterError(
            f"scale: expected positive numbers of float32, got {given[unfit[0]]} for bit {unfit[0]}"
        )
    found.flags.writeable = False
    return found


def _margins(queries: npt.ArrayLike, bits: int) -> npt.NDArray[np.float32]:
    given = as_real("queries", queries)
    if given.ndim != 2 or given.shape[1] != bits:
        raise ShapeError(f"queries: expected margins (n, {bits}), got {given.shape}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        margins = np.ascontiguousarray(given, np.float32)
    if not np.isfinite(margins).all():
        row = int(np.flatnonzero(~np.isfinite(margins).all(axis=1))[0])
        raise CodeError(
            f"queries: expected finite values of float32, got NaN or infinity in row {row}"
        )
    return margins


def _rounded(costs: Floats) -> Floats:
    _, exponents = np.frexp(costs.max(axis=1, initial=0.0, keepdims=True))
    rounded: Floats = np.ldexp(np.rint(np.ldexp(costs, _DIGITS - exponents)), exponents - _DIGITS)
    return rounded
