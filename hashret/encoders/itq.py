"""Iterative quantization: PCA hashing, turned to lie close to the codes."""

from __future__ import annotations

import numpy as np

from ..checks import check_int
from ..codes import check_bits
from ..types import Floats
from .axes import axes_for_bits
from .base import Encoder, generator
from .blocks import Table, blocks, centred, column_means
from .pca import check_dimensions


class ITQ(Encoder):
    """PCA hashing with the rotation that brings vectors closest to the corners of a cube.

    With V the data along the first principal axes, B = 1 where VR > 0 and -1 elsewhere, and
    R the rotation that minimises ``||B - VR||^2`` given B, in turns, from a random rotation.

    Fitting takes ``64 m**2 + 24 d * bits + 8 n * bits`` bytes with m = min(n, d), and blocks of
    8 MB. Rows of rank r have r axes, which the rotation spreads over all bits: more bits than r
    add nothing, and `fit` warns of them.

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
        Principal axes times the rotation; its columns are orthonormal up to the rank.
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

    def _check_parameters(self) -> None:
        check_bits(self.bits)
        check_int("rounds", self.rounds, 1)

    def _fit(self, features: Table, y: object) -> None:
        check_dimensions(features, self.bits)
        self.mean_ = column_means(features)
        axes = axes_for_bits(features, self.mean_, self.bits)
        values = np.empty((len(features), self.bits))
        for rows in blocks(*features.shape):
            values[rows] = centred(features[rows], self.mean_) @ axes
        rng = generator(self.random_state)
        rotation, _ = np.linalg.qr(rng.standard_normal((self.bits, self.bits)))
        self.projection_ = axes @ _rotate(values, rotation, self.rounds)


def _rotate(values: Floats, rotation: Floats, rounds: int) -> Floats:
    """Return the rotation after `rounds` turns of choosing codes, then the rotation."""
    for _ in range(rounds):
        products = np.zeros_like(rotation)
        for rows in blocks(*values.shape):
            codes = np.where(values[rows] @ rotation > 0, 1.0, -1.0)
            products += values[rows].T @ codes
        left, _, right = np.linalg.svd(products)
        rotation = left @ right
    return rotation
