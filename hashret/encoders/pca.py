"""PCA hashing: the signs of principal components."""

from __future__ import annotations

import numpy as np

from ..codes import check_bits
from ..errors import ParameterError
from .base import Floats
from .linear import LinearEncoder


class PCAHashing(LinearEncoder):
    """Bits tell on which side of the mean a vector lies along each principal axis.

    ``bit j = (x - mean) . v_j > 0`` with v_j the direction of the j-th largest variance.

    Parameters
    ----------
    bits : int, default 16
        Length of a code; at most as many as there are features.

    Attributes
    ----------
    mean_ : ndarray of float64, shape (d,)
    projection_ : ndarray of float64, shape (d, bits)
        Orthonormal axes in its columns, that of the largest variance first.
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

    @property
    def code_bits(self) -> int:
        """Length of a code: ``bits``."""
        return self.bits

    def _check_parameters(self) -> None:
        check_bits(self.bits)

    def _fit(self, features: Floats) -> None:
        check_dimensions(features, self.bits)
        self.mean_ = features.mean(axis=0)
        self.projection_ = principal_axes(features - self.mean_, self.bits)


def check_dimensions(features: Floats, bits: int) -> None:
    """Raise if there are more bits than features."""
    if bits > features.shape[1]:
        raise ParameterError(
            f"bits: expected at most one a feature, n_features={features.shape[1]}, got {bits}"
        )


def principal_axes(centred: Floats, count: int) -> Floats:
    """Return the `count` directions of the largest variance as columns, the largest first."""
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes: Floats = vectors[:, ::-1][:, :count]
    # LAPACK chooses the signs; the largest part of each axis is made positive.
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(count)]
    return axes * np.where(largest < 0, -1.0, 1.0)
