"""Codes as people have them: in files, packed or a column a bit, of numbers of any kind."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..codes import as_codes, check_bits, from_int8, pack
from ..errors import CodeError, DTypeError, FormatError, ParameterError, ShapeError
from ..types import Codes

__all__ = ["parse_codes", "read_array"]


def read_array(path: str | Path, name: str) -> npt.NDArray[Any]:
    """Read an array from an ``.npy`` file, or the one called `name` from an ``.npz`` file.

    Raises
    ------
    FormatError
        If the file is no such file, is damaged, holds Python objects, or lacks the name.
    """
    try:
        # Opened here: numpy leaves a damaged archive open.
        with open(path, "rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            if name in loaded:
                return np.asarray(loaded[name])
            found = ", ".join(loaded)
    except MemoryError as error:
        raise FormatError(f"{path}: no room for what it says to hold: {error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        if "pickle" in str(error) and "Object" not in str(error):
            raise FormatError(
                f"{path}: expected .npy or .npz, which numpy.save and numpy.savez write"
            ) from error
        if "Object arrays" in str(error):
            raise FormatError(
                f"{path}: expected .npy or .npz without Python objects, which are never unpickled: "
                "save strings as numpy.array(labels, dtype=str) if none is missing, else class "
                "numbers with -1 where one is, such as pandas.factorize(labels)[0]"
            ) from error
        raise FormatError(f"{path}: expected .npy or .npz: {error}") from error
    raise FormatError(f"{path}: expected an array {name}, got {found or 'none'}")


def parse_codes(
    codes: npt.ArrayLike, query_codes: npt.ArrayLike, bits: int | None = None
) -> tuple[Codes, Codes, int]:
    """Return packed codes of database and queries, and their bits.

    Parameters
    ----------
    codes, query_codes, bits
        As :func:`~.evaluate.evaluate` takes them.

    Raises
    ------
    ShapeError, DTypeError, CodeError, ParameterError
        If they are no codes, or may be codes of several lengths.

    Examples
    --------
    >>> parse_codes([[1.0, -1.0], [-1.0, 1.0]], [[1.0, 1.0]])
    (array([[128],
           [ 64]], dtype=uint8), array([[192]], dtype=uint8), 2)
    """
    database, queries = _as_array(codes, "codes"), _as_array(query_codes, "query_codes")
    for array, name in ((database, "codes"), (queries, "query_codes")):
        if array.ndim == 2 and not len(array):
            raise ShapeError(f"{name}: expected at least one code")
    length, given = _code_length(database, queries, bits), bits is not None
    packed = _packed(database, length, "codes", given)
    return packed, _packed(queries, length, "query_codes", given), length


def _as_array(codes: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    try:
        array = np.asarray(codes)
    except ValueError as error:
        raise ShapeError(f"{name}: expected a row a code: {error}") from error
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _code_length(codes: npt.NDArray[Any], queries: npt.NDArray[Any], bits: int | None) -> int:
    if codes.ndim != 2 or not codes.shape[1]:
        hint = "; codes.from_ints and from_hex make codes of hashes" if codes.ndim == 1 else ""
        raise ShapeError(f"codes: expected a row a code, got shape {codes.shape}{hint}")
    if bits is not None:
        return check_bits(bits)
    width = int(codes.shape[1])
    if codes.dtype == np.uint8 and not (width > 1 and _are_bits(codes, queries)):
        return width * 8
    return width * (64 if codes.dtype == np.uint64 else 1)


def _are_bits(codes: npt.NDArray[Any], queries: npt.NDArray[Any]) -> bool:
    """Tell whether bytes are one a bit, not packed: there are some, and all are 0 or 1.

    Those of queries of the same kind and width count too: all codes of an encoder that learned
    nothing may be zero.
    """
    alike = queries.dtype == np.uint8 and queries.shape[1:] == codes.shape[1:]
    most = max(codes.max(initial=0), queries.max(initial=0) if alike else 0)
    return bool(codes.size and most <= 1)


def _packed(codes: npt.NDArray[Any], bits: int, name: str, given: bool) -> Codes:
    unpacked = codes.dtype != np.uint8 or (bits > 1 and codes.max(initial=0) <= 1)
    if codes.dtype.kind not in "biuf":
        raise DTypeError(f"{name}: expected codes, got {codes.dtype}")
    if codes.ndim == 2 and codes.shape[1] == bits and unpacked:
        _check_margins(codes, name, given)
        return pack(codes)
    if codes.dtype == np.int8 and codes.ndim == 2 and codes.shape[1] == -(-bits // 8):
        return from_int8(codes, bits)
    if codes.dtype in (np.uint8, np.uint64):
        return as_codes(codes, bits, name)
    raise ShapeError(f"{name}: expected {bits} columns, one a bit, got shape {codes.shape}")


def _check_margins(codes: npt.NDArray[Any], name: str, given: bool) -> None:
    """Raise where numbers are no margins, or whole ones may as well be hashes or packed bytes."""
    if codes.dtype.kind == "f" and np.isnan(codes).any():
        row = int(np.flatnonzero(np.isnan(codes).any(axis=1))[0])
        raise CodeError(f"{name}: NaN in row {row}")
    if (
        codes.dtype.kind in "iu"
        and not given
        and not -1 <= codes.min(initial=0) <= codes.max(initial=0) <= 1
    ):
        raise ParameterError(
            f"bits: expected for {name} of {codes.dtype} other than 0, 1 and -1, which may be "
            f"margins, {codes.shape[1]} bits, or packed; codes.from_ints makes codes of hashes"
        )
