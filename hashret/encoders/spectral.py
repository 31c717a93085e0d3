"""Spectral hashing: the signs of the slowest waves along the principal axes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..codes import check_bits
from ..errors import ShapeError
from .base import Encoder, Floats
from .pca import principal_axes


class SpectralHashing(Encoder):
    """Bits are signs of eigenfunctions of the Laplacian on the box that holds the data.

    Along a principal axis on which the fitted vectors span [a, b], these are
    ``sin(pi / 2 + w (x - a))`` with ``w = m pi / (b - a)``, m = 1, 2, ..., and eigenvalues
    that grow with w. The bits are those of the smallest w over all axes and modes.

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

    _fitted = ("mean_", "projection_", "low_", "frequency_")
    mean_: Floats
    projection_: Floats
    low_: Floats
    frequency_: Floats

    def __init__(self, bits: int = 16) -> None:
        self.bits = bits

    @property
    def code_bits(self) -> int:
        """Length of a code: ``bits``."""
        return self.bits

    def _check_parameters(self) -> None:
        check_bits(self.bits)

    def _fit(self, features: Floats) -> None:
        mean = features.mean(axis=0)
        axes = principal_axes(features - mean, min(self.bits, features.shape[1]))
        values = (features - mean) @ axes
        low, high = values.min(axis=0), values.max(axis=0)
        if high[0] <= low[0]:
            raise ShapeError(f"X: all rows are equal (n_samples={len(features)}), expected others")
        axis, self.frequency_ = _slowest(high - low, self.bits)
        self.mean_, self.projection_, self.low_ = mean, axes[:, axis], low[axis]

    def _fitted_shapes(self) -> dict[str, tuple[int, ...]]:
        features, bits = self.n_features_in_, self.bits
        return {
            "mean_": (features,),
            "projection_": (features, bits),
            "low_": (bits,),
            "frequency_": (bits,),
        }

    def _margins(self, features: Floats) -> Floats:
        along = (features - self.mean_) @ self.projection_ - self.low_
        return np.asarray(np.sin(np.pi / 2 + self.frequency_ * along), np.float64)


def _slowest(ranges: Floats, count: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return axis and frequency of the `count` lowest frequencies, rising."""
    # An axis without extent, up to rounding, has no waves.
    axes = np.flatnonzero(ranges > 1e-12 * ranges.max())
    waves = np.pi * np.arange(1, count + 1)[:, None] / ranges[axes]
    order = np.argsort(waves, axis=None, kind="stable")[:count]
    return axes[order % len(axes)], waves.ravel()[order]
