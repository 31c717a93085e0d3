"""Tables in blocks of float64: what a table of any real type and order needs beside itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CodeError
from ..types import Floats

Table = npt.NDArray[Any]

# Values of a block: 8 MB as float64.
_VALUES = 2**20


def blocks(count: int, width: int, least: int = 1) -> Iterator[slice]:
    """Cut `count` rows into slices that hold a block of values each, or `least` rows."""
    step = max(least, _VALUES // width)
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def centred(rows: Table, mean: Floats) -> Floats:
    """Return rows minus the mean, by value the same whatever their type and order in memory."""
    return np.subtract(rows, mean, order="C", dtype=np.float64, casting="same_kind")


def column_means(features: Table) -> Floats:
    """Return the mean of each column, or raise a CodeError that names a row that has none."""
    count, width = features.shape
    step = max(1, _VALUES // width)
    # The first row carries the sum so far: rows are added one by one, as over a whole table.
    buffer = np.empty((min(step, count) + 1, width))
    total = buffer[0]
    for rows in blocks(count, width):
        end = rows.stop - rows.start + 1
        with np.errstate(over="ignore", invalid="ignore"):
            buffer[1:end] = features[rows]
            total = buffer[int(rows.start == 0) : end].sum(axis=0)
        if not np.isfinite(total).all():
            raise not_finite(features[rows], rows.start)
        buffer[0] = total
    return np.asarray(total / count)


def not_finite(features: Table, start: int, lengths: Floats | None = None) -> CodeError:
    """Return the error that names a row, from `start` on, that is not finite, or too large."""
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        return CodeError(f"X: NaN or infinity (inf) in row {start + np.argmin(finite)}")
    row = np.argmax(np.abs(features).max(axis=1)) if lengths is None else np.argmax(lengths)
    return CodeError(f"X: row {start + row} is too large for float64: scale the features")
