"""How many codes of a set are equal: measures that need no labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import DTypeError, ParameterError, ShapeError
from .histograms import Counts, plain_array


def distinct_codes(codes: npt.ArrayLike) -> int:
    """Count the different codes."""
    return len(_multiplicities(codes))


def collision_entropy(codes: npt.ArrayLike) -> float:
    """Rényi entropy of order 2 of the codes' distribution, in bits.

    ``-log2 sum(p ** 2)``: two random draws from the database have equal codes with probability
    ``2 ** -entropy``. Uniform codes of K bits reach K in the limit of a large database.
    """
    counts = _multiplicities(codes)
    if not len(counts):
        raise ParameterError("codes: no codes, no entropy")
    return abs(-float(np.log2(np.square(counts / counts.sum()).sum())))


def expected_bucket_length(codes: npt.ArrayLike) -> float:
    """Mean number of items with the same code as a random item of the database, itself included.

    ``n * 2 ** -collision_entropy``: what one bucket lookup costs.

    Examples
    --------
    >>> expected_bucket_length([[1], [1], [2], [1]])
    2.5
    """
    counts = _multiplicities(codes)
    if not len(counts):
        raise ParameterError("codes: no codes, no bucket")
    return float(np.square(counts.astype(np.float64)).sum() / counts.sum())


def _multiplicities(codes: npt.ArrayLike) -> Counts:
    array = np.ascontiguousarray(plain_array(codes, "codes"))
    if array.ndim != 2:
        raise ShapeError(f"codes: expected (n, bytes), got shape {array.shape}")
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"codes: expected uint8, got {array.dtype}")
    # Rows as single values: sorting these is many times faster than numpy.unique(axis=0).
    rows = array.view(np.dtype((np.void, array.dtype.itemsize * array.shape[1]))).ravel()
    return np.unique(rows, return_counts=True)[1].astype(np.int64)
