"""PCA hashing: the signs of principal components."""

from __future__ import annotations

from ..codes import check_bits
from ..errors import ParameterError
from .axes import axes_for_bits
from .base import Encoder
from .blocks import Table, column_means


class PCAHashing(Encoder):
    """Bits tell on which side of the mean a vector lies along each principal axis.

    ``bit j = (x - mean) . v_j > 0`` with v_j the direction of the j-th largest variance.

    Fitting takes ``64 m**2 + 24 d * bits`` bytes with m = min(n, d), and blocks of 8 MB, so that
    either n or d may be large. Rows of rank r have r axes: bits past the rank are 0 in every
    code, and `fit` warns of them.

    Parameters
    ----------
    bits : int, default 16
        Length of a code; at most as many as there are features.

    Attributes
    ----------
    mean_ : ndarray of float64, shape (d,)
    projection_ : ndarray of float64, shape (d, bits)
        Orthonormal axes in its columns, that of the largest variance first; zeros past the rank.
    n_features_in_ : int

    References
    ----------
    Wang, Kumar, Chang: Semi-supervised hashing for scalable image retrieval, CVPR 2010,
    where it is the case without labels.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(100, 20))
    >>> PCAHashing(bits=12).fit(X).transform(X).shape
    (100, 2)
    """

    def __init__(self, bits: int = 16) -> None:
        self.bits = bits

    def _check_parameters(self) -> None:
        check_bits(self.bits)

    def _fit(self, features: Table, y: object) -> None:
        check_dimensions(features, self.bits)
        self.mean_ = column_means(features)
        self.projection_ = axes_for_bits(features, self.mean_, self.bits)


def check_dimensions(features: Table, bits: int) -> None:
    """Raise if there are more bits than features."""
    if bits > features.shape[1]:
        raise ParameterError(
            f"bits: expected at most one a feature, n_features={features.shape[1]}, got {bits}"
        )
