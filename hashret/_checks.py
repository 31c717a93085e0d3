"""Checks of what callers give to an index; each error names the argument."""

from __future__ import annotations

import os
import stat
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from . import _native
from .checks import as_array
from .errors import CodeError, DTypeError, FormatError, IdError, ParameterError, ShapeError

Ids = npt.NDArray[np.int64]
MAX_PROBES = 2**20
MAX_ROWS = 2**32 - 1
# Each has results of its own; more than there are cores are of no use.
MAX_THREADS = 1024
SELF = "self"


def as_integers(name: str, value: object) -> npt.NDArray[Any]:
    """As `as_array`; lists of whole numbers stay whole, Python ints if no integer type has room.

    numpy makes floats of those that fit neither int64 nor uint64 together.
    """
    array = as_array(name, value)
    if array.dtype.kind == "f" and array.size and isinstance(value, (list, tuple)):
        exact = np.asarray(value, object)
        return exact if all_ints(exact) else array
    return array


def all_ints(array: npt.NDArray[Any]) -> bool:
    """Whether an array of objects holds Python ints only."""
    return array.dtype == object and all(type(value) is int for value in array.flat)


def as_bytes(name: str, value: object) -> npt.NDArray[np.uint8]:
    """Return the bytes of a bytes-like object, not copied."""
    try:
        view = memoryview(value)  # type: ignore[arg-type]
    except TypeError:
        view = None
    if view is None or not view.c_contiguous or view.format not in ("B", "b", "c"):
        raise DTypeError(f"{name}: expected bytes, got {type(value).__name__}")
    return np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)


def as_path(path: Any) -> str:
    """Return a path as text."""
    try:
        name = os.fsdecode(path)
    except TypeError:
        raise DTypeError(
            f"path: expected a path, got {type(path).__name__}; to_bytes and from_bytes do "
            "without a file"
        ) from None
    if "\0" in name:
        raise ParameterError(f"path: expected a path, got {name!r} with a zero byte")
    return name


def open_file(path: Any) -> BinaryIO:
    """Open a file to read that is one: opening a pipe would wait.

    Raises
    ------
    FormatError
        If it is a pipe, a socket or a device.
    """
    name = as_path(path)
    mode = os.stat(name).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise FormatError(
            f"{name}: expected a file, got a pipe, a socket or a device; from_bytes takes what is "
            "read from it"
        )
    return open(name, "rb")


def open_reader(
    native: _native.NativeIndex, filter: npt.ArrayLike | None, codes: bool = False
) -> _native.Reader:
    if filter is None:
        # Without a keyword for the sake of single queries.
        return _native.Reader(native, codes=True) if codes else _native.Reader(native)
    array = as_integers("filter", filter)
    if array.ndim != 1:
        raise ShapeError(f"filter: expected one dimension, got shape {array.shape}")
    if array.dtype == np.bool_:
        return _native.Reader(native, filter_mask=np.ascontiguousarray(array))
    return _native.Reader(native, filter_ids=as_int64("filter", array))


def check_exclude(exclude: npt.ArrayLike | str, count: int) -> Ids | str:
    if isinstance(exclude, str) and exclude == SELF:
        return exclude
    if isinstance(exclude, str):
        raise ParameterError(f"exclude: expected ids or {SELF!r}, got {exclude!r}")
    array = as_integers("exclude", exclude)
    if array.shape != (count,):
        raise ShapeError(f"exclude: expected an id a query, ({count},), got {array.shape}")
    return as_int64("exclude", array)


def find_excluded(excluded: Ids | str, count: int, reader: _native.Reader) -> Ids:
    """Return the id that each query excludes, of the codes that a reader sees."""
    if not isinstance(excluded, str):
        return excluded
    ids = np.empty(len(reader), np.int64)
    if len(ids) != count:
        raise ShapeError(
            f"exclude: {SELF!r} needs a query for each of {len(ids)} codes, got {count}"
        )
    reader.ids(ids)
    return ids


def check_threads(threads: int | None) -> int | None:
    if threads is None or (type(threads) is int and 1 <= threads <= MAX_THREADS):
        return threads  # the common case, for the sake of single queries
    return min(check_at_least("threads", threads), MAX_THREADS)


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


def check_k(k: int) -> int:
    if type(k) is int and 1 <= k <= MAX_ROWS:
        return k
    k = check_at_least("k", k)
    if k > MAX_ROWS:
        raise ParameterError(f"k: expected at most {MAX_ROWS}, got {k}")
    return k


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
    if array.size == 0 and array.dtype.kind in "fO":
        array = array.astype(np.int64)  # numpy makes [] a float array, pandas one of objects
    if array.size and all_ints(array):
        raise IdError(f"{name}: {max(array.flat, key=abs)} does not fit int64")
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{name}: expected integers, got {array.dtype}")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise IdError(f"{name}: {array.max()} does not fit int64")
    return np.ascontiguousarray(array, dtype=np.int64)


def check_ids(ids: npt.ArrayLike, count: int | None = None) -> Ids:
    array = np.atleast_1d(as_integers("ids", ids))
    if array.ndim != 1 or (count is not None and len(array) != count):
        expected = "(n,)" if count is None else f"({count},)"
        raise ShapeError(f"ids: expected shape {expected}, got {array.shape}")
    array = as_int64("ids", array)
    if (array == -1).any():
        raise IdError("ids: -1 stands for a missing neighbour and cannot be an id")
    return array


def check_probes(probes: int, kind: str) -> int:
    if type(probes) is int and probes == 1:
        return probes  # the common case, for the sake of single queries
    probes = check_at_least("probes", probes)
    if probes > 1 and kind != "lsh":
        raise ParameterError(f"probes: only kind 'lsh' has buckets, this is {kind!r}")
    if probes > MAX_PROBES:
        raise ParameterError(f"probes: expected at most {MAX_PROBES}, got {probes}")
    return probes


def check_margins(margins: npt.ArrayLike, count: int, bits: int) -> npt.NDArray[np.float32]:
    given = as_real("margins", margins)
    if given.shape != (count, bits):
        raise ShapeError(f"margins: expected ({count}, {bits}), got {given.shape}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        array = np.ascontiguousarray(given, dtype=np.float32)
    if not np.isfinite(array).all():
        raise CodeError("margins: expected finite values of float32, got NaN or infinity")
    return array


def as_real(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return real numbers or booleans as an array of any shape."""
    array = as_array(name, values)
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"{name}: expected real numbers or booleans, got {array.dtype}")
    return array
