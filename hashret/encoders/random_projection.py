"""Locality-sensitive hashing by random projections."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..errors import ParameterError
from ..types import Floats
from .base import Encoder, check_total_bits, generator
from .blocks import Table, column_means

Distribution = Literal["gaussian", "orthogonal"]


class RandomProjectionLSH(Encoder):
    """Bits tell on which side of random hyperplanes through the mean a vector lies.

    ``bit = R (x - mean) > 0``. Two vectors at angle t (seen from the mean) differ in a bit with
    probability t / pi (Charikar, STOC 2002). Orthogonal directions, in groups of as many as there
    are features, lower the variance of the Hamming distance (Ji et al., NIPS 2012).

    Fitting reads the table once; beside the result (16 d * code_bits bytes in the making) it
    takes a block of 8 MB.

    Parameters
    ----------
    bits : int, default 16
        Bits of a table.
    tables : int, default 8
        A code has ``tables * bits`` bits, 4096 at most; table t owns bits ``t * bits`` to
        ``(t + 1) * bits - 1``.
    distribution : {"gaussian", "orthogonal"}
    random_state : int, RandomState or None

    Attributes
    ----------
    mean_ : ndarray of float64, shape (d,)
    projection_ : ndarray of float64, shape (d, tables * bits)
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(100, 20))
    >>> encoder = RandomProjectionLSH(bits=12, tables=2, random_state=0).fit(X)
    >>> encoder.code_bits, encoder.transform(X).shape
    (24, (100, 3))
    """

    def __init__(
        self,
        bits: int = 16,
        tables: int = 8,
        distribution: Distribution = "gaussian",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.bits = bits
        self.tables = tables
        self.distribution = distribution
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_total_bits(self.bits, self.tables)
        if self.distribution not in ("gaussian", "orthogonal"):
            raise ParameterError(
                f'distribution: expected "gaussian" or "orthogonal", got {self.distribution!r}'
            )

    def _asked_bits(self) -> int:
        return self.bits * self.tables

    def _fit(self, features: Table, y: object) -> None:
        self.mean_ = column_means(features)
        rng = generator(self.random_state)
        normal = rng.standard_normal((self.n_features_in_, self._asked_bits()))
        self.projection_ = normal if self.distribution == "gaussian" else _orthogonal(normal)


def _orthogonal(normal: Floats) -> Floats:
    """Orthonormalise the columns in groups of as many as there are rows."""
    size, count = normal.shape
    groups = []
    for start in range(0, count, size):
        q, r = np.linalg.qr(normal[:, start : start + size])
        # LAPACK fixes the signs of q by its own rule; those of r make it uniformly distributed.
        groups.append(q * np.where(np.diag(r) < 0, -1.0, 1.0))
    return np.concatenate(groups, axis=1)
