"""Iterative quantization: PCA hashing, turned to lie close to the codes."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

from ..codes import check_bits
from .base import Floats, check_count
from .linear import LinearEncoder
from .pca import check_dimensions, principal_axes


class ITQ(LinearEncoder):
    """PCA hashing with the rotation that brings vectors closest to the corners of a cube.

    With V the data along the first principal axes, B = 1 where VR > 0 and -1 elsewhere, and
    R the rotation that minimises ``||B - VR||^2`` given B, in turns, from a random rotation.

    Parameters
    ----------
    bits : int, default 16
        Length of a code; at most as many as there are features.
    rounds : int, default 50
        As published.
    random_state : int, RandomState or None

    Attributes
    ----------
    mean_ : ndarray of float64, shape (d,)
    projection_ : ndarray of float64, shape (d, bits)
        Principal axes times the rotation; its columns are orthonormal.
    n_features_in_ : int

    References
    ----------
    Gong, Lazebnik: Iterative quantization: a Procrustean approach to learning binary codes,
    CVPR 2011.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(100, 20))
    >>> ITQ(bits=12, random_state=0).fit(X).transform(X).shape
    (100, 2)
    """

    def __init__(
        self,
        bits: int = 16,
        rounds: int = 50,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.bits = bits
        self.rounds = rounds
        self.random_state = random_state

    @property
    def code_bits(self) -> int:
        """Length of a code: ``bits``."""
        return self.bits

    def _check_parameters(self) -> None:
        check_bits(self.bits)
        check_count(self.rounds, "rounds")

    def _fit(self, features: Floats) -> None:
        check_dimensions(features, self.bits)
        self.mean_ = features.mean(axis=0)
        centred = features - self.mean_
        axes = principal_axes(centred, self.bits)
        rng = check_random_state(self.random_state)
        rotation, _ = np.linalg.qr(rng.standard_normal((self.bits, self.bits)))
        self.projection_ = axes @ _rotate(centred @ axes, rotation, self.rounds)


def _rotate(values: Floats, rotation: Floats, rounds: int) -> Floats:
    """Return the rotation after `rounds` turns of choosing codes, then the rotation."""
    for _ in range(rounds):
        codes = np.where(values @ rotation > 0, 1.0, -1.0)
        left, _, right = np.linalg.svd(values.T @ codes)
        rotation = left @ right
    return rotation
