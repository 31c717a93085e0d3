"""Checks of what callers give to an index; each error names the argument."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import _native
from ..checks import as_int64, as_integers, as_real, check_int, check_number
from ..errors import CodeError, DTypeError, ParameterError, ShapeError
from ..types import Ids

# Ids, or a boolean for each id.
IdsOrMask = npt.NDArray[np.int64] | npt.NDArray[np.bool_]
MAX_PROBES = 2**20
MAX_SUBSTRINGS = 8
DEFAULT_RECALL = 0.95
# Added to a radius, in place of a number of tables: HR_TABLES_FOR_RADIUS.
TABLES_FOR_RADIUS = 256
# Each has results of its own; more than there are cores are of no use.
MAX_THREADS = 1024
SELF = "self"


def check_filter(filter: npt.ArrayLike) -> IdsOrMask:
    """Return ids, or a boolean mask, as the engine takes them."""
    array = as_integers("filter", filter)
    if array.ndim != 1:
        raise ShapeError(f"filter: expected one dimension, got shape {array.shape}")
    return np.ascontiguousarray(array) if array.dtype == np.bool_ else as_int64("filter", array)


def check_range(ids: range) -> tuple[int, int]:
    """Return the first id of a range and one past its last, as far as there are ids."""
    if ids.step != 1:
        raise ParameterError(f"allowed: expected a range without steps, got {ids}")
    low, high = -(2**63), 2**63 - 1
    return min(max(ids.start, low), high), min(max(ids.stop, low), high)


def check_exclude(exclude: npt.ArrayLike | str, count: int) -> Ids | str:
    if isinstance(exclude, str) and exclude == SELF:
        return exclude
    if isinstance(exclude, str):
        raise ParameterError(f"exclude: expected ids or {SELF!r}, got {exclude!r}")
    array = as_integers("exclude", exclude)
    if array.shape != (count,):
        raise ShapeError(f"exclude: expected an id a query, ({count},), got {array.shape}")
    return as_int64("exclude", array)


def check_threads(threads: int | None) -> int | None:
    if threads is None or (type(threads) is int and 1 <= threads <= MAX_THREADS):
        return threads  # the common case, for the sake of single queries
    return min(check_int("threads", threads, 1), MAX_THREADS)


def check_recall(kind: str, recall: float | None) -> int:
    """Return the recall in the engine's millionths; 0 for other kinds than "approximate"."""
    if kind != "approximate":
        if recall is not None:
            raise ParameterError(f"recall: only for kind 'approximate', this is {kind!r}")
        return 0
    wanted = check_number("recall", DEFAULT_RECALL if recall is None else recall)
    if not 0 < wanted <= 1:
        raise ParameterError(f"recall: expected above 0 and at most 1, got {recall!r}")
    return max(round(wanted * _native.MAX_RECALL), 1)


def check_tables(kind: str, bits: int, tables: int | None, radius: int | None = None) -> int:
    """Return what the engine is told of tables: how many, what radius they are for, or 0."""
    if radius is not None:
        return _check_radius_of_tables(kind, bits, tables, radius)
    if kind == "lsh":
        return _check_lsh_tables(bits, tables)
    if tables is None:
        return 0
    if kind in ("scan", "approximate"):
        raise ParameterError(f"tables: kind {kind!r} has none, got {tables!r}")
    tables = check_int("tables", tables, 1)
    if tables > min(bits, MAX_SUBSTRINGS):
        raise ParameterError(
            f"tables: expected at most {min(bits, MAX_SUBSTRINGS)} for {bits} bits, got {tables}"
        )
    return tables


def _check_radius_of_tables(kind: str, bits: int, tables: int | None, radius: int) -> int:
    if kind not in ("auto", "mih"):
        raise ParameterError(f"radius: kind {kind!r} has no tables to suit it, got {radius!r}")
    if tables is not None:
        raise ParameterError(f"tables: expected None beside a radius, got {tables!r}")
    radius = check_int("radius", radius, 0)
    if radius >= bits:
        raise ParameterError(f"radius: expected less than {bits} bits, got {radius}")
    return TABLES_FOR_RADIUS + radius


def _check_lsh_tables(bits: int, tables: int | None) -> int:
    if tables is None:
        raise ParameterError("tables: expected for kind 'lsh', got None")
    tables = check_int("tables", tables, 1)
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


def check_probes(probes: int, kind: str) -> int:
    if type(probes) is int and probes == 1:
        return probes  # the common case, for the sake of single queries
    probes = check_int("probes", probes, 1)
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
