"""Principal axes of a table that is long, wide or both, and how many of them it has."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from ..errors import CodeError
from ..types import Floats
from .blocks import Table, blocks, centred

_EPS = float(np.finfo(np.float64).eps)
# Of singular values, below which rounding to the smallest floats takes part.
_SMALLEST = 1e-145


def principal_axes(features: Table, mean: Floats, count: int) -> Floats:
    """Return directions of the largest variance as orthonormal columns, the largest first.

    As many as `count`, or as the rows have: their rank. A direction counts where its singular
    value exceeds ``max(n, d) * eps`` times the largest, and what rounding leaves of the mean.

    Beside its result this takes eight matrices of float64 of min(n, d) rows and columns at most,
    and blocks of 8 MB: the table is never held as float64.
    """
    long = len(features) >= features.shape[1]
    values, vectors = _by_products(_tall(features, mean))
    if values[0] < _SMALLEST and not _all_equal(features):
        raise CodeError(
            "X: the features are too close for float64 to hold their squares: scale them"
        )
    # Products square the singular values, and lose those below the root of the precision.
    lost = np.sqrt(max(features.shape) * _EPS) * values[0]
    if (values > max(lost, len(features) * _off(features, mean))).sum() < min(count, len(values)):
        values, vectors = _by_triangles(_tall(features, _accurate(features, mean)))
    least = max(max(features.shape) * _EPS * values[0], 4 * _off(features, mean))
    kept = (values > least)[:count].sum()
    axes = vectors[:, :kept] if long else _right_axes(features, vectors[:, :kept])
    # LAPACK chooses the signs; the largest part of each axis is made positive.
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(kept)]
    return axes * np.where(largest < 0, -1.0, 1.0)


def axes_for_bits(features: Table, mean: Floats, bits: int) -> Floats:
    """Return an axis a bit, shape (d, bits): past the rank of the rows they are zero, and warn."""
    axes = principal_axes(features, mean, bits)
    rank = axes.shape[1]
    if rank == bits:
        return axes
    warnings.warn(
        f"bits: the rows have rank {rank} (n_samples={len(features)}, "
        f"n_features={features.shape[1]}), so that more than {rank} bits add nothing, got {bits}",
        stacklevel=4,
    )
    return np.hstack([axes, np.zeros((len(axes), bits - rank))])


def _all_equal(features: Table) -> bool:
    return all((features[rows] == features[0]).all() for rows in blocks(*features.shape))


def _off(features: Table, mean: Floats) -> float:
    """Return the singular value of a constant column whose mean is off by one rounding."""
    return _EPS * float(np.sqrt(len(features)) * np.abs(mean).max())


def _accurate(features: Table, mean: Floats) -> Floats:
    """Return the mean without the rounding of its sum, which gives constant columns a variance."""
    rest = sum(centred(features[rows], mean).sum(axis=0) for rows in blocks(*features.shape))
    return np.asarray(mean + rest / len(features))


def _tall(features: Table, mean: Floats) -> Iterator[Floats]:
    """Yield blocks of rows of the centred table, or of its transpose where that is the taller."""
    # As many rows as the products have, so that adding these up costs little beside them.
    parts = blocks(max(features.shape), min(features.shape), min(features.shape))
    if len(features) >= features.shape[1]:
        return (centred(features[rows], mean) for rows in parts)
    return (_columns(features, columns) for columns in parts)


def _columns(features: Table, part: slice) -> Floats:
    columns = np.array(features[:, part].T, np.float64, order="C")
    for _ in range(2):  # the second time takes off what rounding left of the mean
        columns -= columns.mean(axis=1, keepdims=True)
    return columns


def _by_products(table: Iterator[Floats]) -> tuple[Floats, Floats]:
    """Return singular values, falling, and right vectors, by way of ``table.T @ table``."""
    total: Floats | None = None
    for block in table:
        with np.errstate(over="ignore", invalid="ignore"):
            products = block.T @ block
            total = products if total is None else np.add(total, products, out=total)
    if total is None or not np.isfinite(total).all():
        raise CodeError("X: the features are too large for their variance: scale them")
    values, vectors = np.linalg.eigh(total)
    return np.sqrt(values[::-1].clip(min=0)), vectors[:, ::-1]


def _by_triangles(table: Iterator[Floats]) -> tuple[Floats, Floats]:
    """Return what `_by_products` does to full precision, by QR of block after block."""
    triangle = np.empty((0, 0))
    for block in table:
        stacked = np.vstack([triangle, block]) if triangle.size else block
        triangle = np.asarray(np.linalg.qr(stacked, mode="r"))
    _, values, vectors = np.linalg.svd(triangle)
    return np.pad(values, (0, len(vectors) - len(values))), vectors.T


def _right_axes(features: Table, vectors: Floats) -> Floats:
    """Return the axes over columns that belong to left singular vectors, orthonormal."""
    axes = np.empty((features.shape[1], vectors.shape[1]))
    for part in blocks(*features.T.shape):
        axes[part] = _columns(features, part) @ vectors
    basis, triangle = np.linalg.qr(axes)
    return np.asarray(basis * np.where(np.diag(triangle) < 0, -1.0, 1.0))
