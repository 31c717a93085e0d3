"""Float queries: real-valued outputs against binary codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import as_real
from ..errors import CodeError, DTypeError, ShapeError
from ..types import Floats
from .rule import Asked, Rule

__all__ = ["FloatQuery"]

# Costs are multiples of the largest's last of so many binary digits: sums of 4,096 are exact.
_DIGITS = 40


class FloatQuery(Rule):
    """A rule in which a differing bit counts as much as the query is sure of it.

    In place of 1, a bit costs ``abs(margin)``: what the encoder's ``project`` gives for the query,
    whose code is the signs of that. Different codes hardly ever tie; equal codes always do. The
    asymmetric distance of M. Jain, H. Jégou, P. Gros, "Asymmetric Hamming embedding", ACM
    Multimedia 2011; :func:`hashret.rerank.by_margins` orders a few candidates by it.

    Margins are taken as float32. What a bit costs, its weight included, is rounded to 40 binary
    digits below the query's largest cost: then no sum is rounded, whichever order it is made in.
    Float32 margins of the same size up to a factor of 65,536 lose nothing by it.

    Parameters
    ----------
    rule : Rule
        Whose bits these are: ``FloatQuery(Hamming(64))`` is the plain asymmetric distance. None
        that takes margins itself.

    Examples
    --------
    >>> from hashret.ranking import Hamming, WeightedPrefix
    >>> margins = [[0.5, -2.0, 3.0, -0.5]]
    >>> codes = [[0b0010_0000], [0b1110_0000]]
    >>> FloatQuery(Hamming(4)).distances(margins, codes)
    array([[0.5, 2. ]])
    >>> FloatQuery(WeightedPrefix(4, 1, weight=8)).distances(margins, codes)
    array([[4., 2.]])
    """

    name = "float-query"
    takes = "margins"

    def __init__(self, rule: Rule) -> None:
        if not isinstance(rule, Rule) or rule.takes != "codes":
            raise DTypeError(f"rule: expected a Rule that takes codes, got {rule!r}")
        self.rule = rule
        self.bits, self.prefix_bits = rule.bits, rule.prefix_bits
        self.centres, self.share = rule.centres, rule.share

    def prices(self) -> tuple[float, float]:
        """Return what a margin of the prefix, and one of the rest, is multiplied by."""
        return self.rule.prices()

    def ask(self, queries: npt.ArrayLike) -> Asked:
        """Check margins, float (n_queries, bits), and return what the engine is to be asked."""
        margins = _margins(queries, self.bits)
        own, (prefix, rest) = self.prefix_bits, self.prices()
        costs = np.abs(margins, dtype=np.float64)
        costs[:, :own] *= prefix
        costs[:, own:] *= rest
        costs = _rounded(costs)
        # The sums of none, of the least, of the two least, ...
        least = np.zeros((len(costs), self.bits + 2))
        np.cumsum(np.sort(costs[:, :own], axis=1), axis=1, out=least[:, 1 : own + 1])
        np.cumsum(np.sort(costs[:, own:], axis=1), axis=1, out=least[:, own + 2 :])
        return Asked(np.packbits(margins > 0, axis=1), least, costs)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"rule": self.name, "of": self.rule.as_dict()}

    def summary(self) -> str:
        """Return its parameters in a few words."""
        return repr(self.rule)


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
