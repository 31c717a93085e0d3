"""Spectral hashing: the signs of the slowest waves along the principal axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..codes import check_bits
from ..errors import ShapeError
from ..types import Floats
from .axes import principal_axes
from .base import Encoder
from .blocks import Table, blocks, centred, column_means


class SpectralHashing(Encoder):
    """Bits are signs of eigenfunctions of the Laplacian on the box that holds the data.

    Along a principal axis on which the fitted vectors span [a, b], these are
    ``sin(pi / 2 + w (x - a))`` with ``w = m pi / (b - a)``, m = 1, 2, ..., and eigenvalues
    that grow with w. The bits are those of the smallest w over all axes and modes.

    Fitting takes ``64 m**2 + 24 d * bits`` bytes with m = min(n, d), and blocks of 8 MB.

    Parameters
    ----------
    bits : int, default 16
        Length of a code; may exceed the number of features.

    Attributes
    ----------
    mean_ : ndarray of float64, shape (d,)
    projection_ : ndarray of float64, shape (d, bits)
        The axis of each bit.
    low_ : ndarray of float64, shape (bits,)
        a of each bit's axis.
    frequency_ : ndarray of float64, shape (bits,)
        w of each bit, rising.
    n_features_in_ : int

    References
    ----------
    Weiss, Torralba, Fergus: Spectral hashing, NIPS 2008.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> SpectralHashing(bits=12).fit(X).transform(X).shape
    (100, 2)
    """

    low_: Floats
    frequency_: Floats

    def __init__(self, bits: int = 16) -> None:
        self.bits = bits

    def _check_parameters(self) -> None:
        check_bits(self.bits)

    def _fit(self, features: Table, y: object) -> None:
        mean = column_means(features)
        axes = principal_axes(features, mean, min(self.bits, *features.shape))
        if not axes.size:
            raise ShapeError(f"X: all rows are equal (n_samples={len(features)}), expected others")
        spans = [_span(centred(features[r], mean) @ axes) for r in blocks(*features.shape)]
        low, high = np.min(spans, axis=0)[0], np.max(spans, axis=0)[1]
        axis, self.frequency_ = _slowest(high - low, self.bits)
        self.mean_, self.projection_, self.low_ = mean, axes[:, axis], low[axis]

    def _fitted_shapes(self) -> dict[str, tuple[int, ...]]:
        bits = (self.code_bits,)
        return super()._fitted_shapes() | {"low_": bits, "frequency_": bits}

    def _finish(self, products: Floats, bits: Any) -> Floats:
        waves = np.pi / 2 + self.frequency_[bits] * (products - self.low_[bits])
        return np.asarray(np.sin(waves), np.float64)

    def _steepness(self) -> tuple[float, float]:
        # Rounding of the argument grows with it, so with the product and with w a.
        start = np.abs(self.frequency_ * self.low_).max()
        return float(self.frequency_.max()), float(16 * np.finfo(np.float64).eps * (4 + start))


def _span(values: Floats) -> tuple[Floats, Floats]:
    return values.min(axis=0), values.max(axis=0)


def _slowest(ranges: Floats, count: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return axis and frequency of the `count` lowest frequencies, rising."""
    # An axis without extent, up to rounding, has no waves.
    axes = np.flatnonzero(ranges > 1e-12 * ranges.max())
    waves = np.pi * np.arange(1, count + 1)[:, None] / ranges[axes]
    order = np.argsort(waves, axis=None, kind="stable")[:count]
    return axes[order % len(axes)], waves.ravel()[order]
