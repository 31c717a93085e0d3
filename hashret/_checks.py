"""Checks of what callers give to an index; each error names the argument."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import _native
from .errors import CodeError, DTypeError, IdError, ParameterError, ShapeError

Ids = npt.NDArray[np.int64]
MAX_PROBES = 2**20


def open_reader(native: _native.NativeIndex, filter: npt.ArrayLike | None) -> _native.Reader:
    if filter is None:
        return _native.Reader(native)
    array = np.asarray(filter)
    if array.ndim != 1:
        raise ShapeError(f"filter: expected one dimension, got shape {array.shape}")
    if array.dtype == np.bool_:
        return _native.Reader(native, filter_mask=np.ascontiguousarray(array))
    return _native.Reader(native, filter_ids=as_int64("filter", array))


def is_int(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def check_at_least(name: str, value: int, least: int = 1) -> int:
    if type(value) is int and value >= least:
        return value  # the common case, for the sake of single queries
    if not is_int(value):
        raise DTypeError(f"{name}: expected an int, got {type(value).__name__}")
    if value < least:
        raise ParameterError(f"{name}: expected at least {least}, got {value}")
    return int(value)


MAX_SUBSTRINGS = 8


def check_tables(kind: str, bits: int, tables: int | None) -> int:
    if kind == "lsh":
        return _check_lsh_tables(bits, tables)
    if tables is None:
        return 0
    if kind == "scan":
        raise ParameterError(f"tables: kind 'scan' has none, got {tables!r}")
    tables = check_at_least("tables", tables)
    if tables > min(bits, MAX_SUBSTRINGS):
        raise ParameterError(
            f"tables: expected at most {min(bits, MAX_SUBSTRINGS)} for {bits} bits, got {tables}"
        )
    return tables


def _check_lsh_tables(bits: int, tables: int | None) -> int:
    if tables is None:
        raise ParameterError("tables: expected for kind 'lsh', got None")
    tables = check_at_least("tables", tables)
    if bits % tables or bits // tables > 64:
        raise ParameterError(
            f"tables: expected a divisor of {bits} that leaves at most 64 bits a table, "
            f"got {tables}"
        )
    return tables


def check_fingerprint(encoder: str | None) -> str | None:
    if encoder is None:
        return None
    if not isinstance(encoder, str):
        raise DTypeError(f"encoder: expected a str, got {type(encoder).__name__}")
    if not 1 <= len(encoder) <= 64 or not encoder.isascii() or "\0" in encoder:
        raise ParameterError(f"encoder: expected 1 to 64 ASCII characters, got {encoder!r}")
    return encoder


def as_int64(name: str, array: npt.NDArray[Any]) -> Ids:
    if array.size == 0 and array.dtype.kind == "f":
        array = array.astype(np.int64)  # numpy makes [] a float array
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{name}: expected integers, got {array.dtype}")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise IdError(f"{name}: {array.max()} does not fit int64")
    return np.ascontiguousarray(array, dtype=np.int64)


def check_ids(ids: npt.ArrayLike, count: int | None = None) -> Ids:
    array = np.atleast_1d(np.asarray(ids))
    if array.ndim != 1 or (count is not None and len(array) != count):
        expected = "(n,)" if count is None else f"({count},)"
        raise ShapeError(f"ids: expected shape {expected}, got {array.shape}")
    array = as_int64("ids", array)
    if (array == -1).any():
        raise IdError("ids: -1 stands for a missing neighbour and cannot be an id")
    return array


def check_probes(probes: int, kind: str) -> int:
    probes = check_at_least("probes", probes)
    if probes > 1 and kind != "lsh":
        raise ParameterError(f"probes: only kind 'lsh' has buckets, this is {kind!r}")
    if probes > MAX_PROBES:
        raise ParameterError(f"probes: expected at most {MAX_PROBES}, got {probes}")
    return probes


def check_margins(
    margins: npt.ArrayLike | None, count: int, bits: int
) -> npt.NDArray[np.float32] | None:
    if margins is None:
        return None
    array = np.ascontiguousarray(margins, dtype=np.float32)
    if array.shape != (count, bits):
        raise ShapeError(f"margins: expected ({count}, {bits}), got {array.shape}")
    if not np.isfinite(array).all():
        raise CodeError("margins: expected finite values, got NaN or infinity")
    return array
