"""Codes as numpy's files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from .rows import Block, Rows

__all__ = ["write_npy", "write_npz"]

Array = npt.NDArray[Any]


def write_npy(rows: Rows, file: BinaryIO) -> None:
    """Write the packed codes, uint8 of shape (n, bytes), in the order of ids."""
    _write(file, rows, np.dtype(np.uint8), (_code_bytes(rows),), lambda block: block.codes)


def write_npz(rows: Rows, file: BinaryIO) -> None:
    """Write ``ids``, ``codes``, ``quality`` and ``paths`` (bytes), and ``bits`` and ``encoder``.

    A row of each is an image. What is not known is NaN; labels are left out.
    """
    longest = max((len(path) for block in rows.blocks() for path in _paths(block)), default=1)
    members: list[tuple[str, Any, tuple[int, ...], Callable[[Block], Array]]] = [
        ("ids", np.int64, (), lambda block: block.ids),
        ("codes", np.uint8, (_code_bytes(rows),), lambda block: block.codes),
        ("quality", np.float64, (), lambda block: block.quality),
        ("paths", f"S{max(longest, 1)}", (), lambda block: np.array(_paths(block))),
    ]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, dtype, shape, column in members:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                _write(member, rows, np.dtype(dtype), shape, column)
        for name, value in (("bits", rows.encoder.bits), ("encoder", rows.encoder.fingerprint)):
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.array(value), allow_pickle=False)


def _write(
    file: Any,
    rows: Rows,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    column: Callable[[Block], Array],
) -> None:
    """Write an array of which each block has some rows."""
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": (len(rows), *shape),
    }
    np.lib.format.write_array_header_2_0(file, header)
    for block in rows.blocks():
        file.write(np.ascontiguousarray(column(block), dtype).tobytes())


def _code_bytes(rows: Rows) -> int:
    return -(-rows.encoder.bits // 8)


def _paths(block: Block) -> list[bytes]:
    return [image.files[0].path if image.files else b"" for image in block.images]
