"""usearch: indexes of type ``b1`` and metric ``hamming``, as files and as objects.

Bytes of codes are those of the index, which knows their length in bits. It searches approximately,
by a graph, unless it is asked for ``exact=True``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError, IdError
from ..extras import import_extra
from .stored import Source, Stored, Target, bits_of, checked, reading, writing

__all__ = ["from_index", "read", "to_index", "write"]


def write(
    target: Target, codes: npt.ArrayLike, bits: int, ids: npt.ArrayLike | None = None
) -> None:
    """Write the index that :func:`to_index` makes, as ``usearch.index.Index.restore`` reads it.

    Parameters
    ----------
    target : path or binary file
    codes, bits, ids
        As of :func:`to_index`.
    """
    index = to_index(codes, bits, ids)
    with writing(target) as file:
        file.write(index.save())


def read(source: Source, bits: int | None = None) -> Stored:
    """Read a file of usearch's ``Index.save``; see :func:`from_index`.

    Raises
    ------
    FormatError
        If it is none, is truncated, or is of another type than ``b1``.
    ParameterError, CodeError, IdError
        If `bits` or the keys are unfit.
    MissingExtraError
        If usearch is not installed.
    """
    usearch: Any = import_extra("usearch.index", "usearch")
    with reading(source) as (file, where):
        data = file.read()
    try:
        index = usearch.Index.restore(data)
    except (RuntimeError, ValueError, OverflowError, MemoryError) as error:
        raise FormatError(f"{where}: no index of usearch: {error}") from None
    if index is None:
        raise FormatError(f"{where}: no index of usearch")
    return from_index(index, bits)


def to_index(codes: npt.ArrayLike, bits: int, ids: npt.ArrayLike | None = None) -> Any:
    """Return an index of usearch.

    Parameters
    ----------
    codes : array_like
        uint8 (n, ceil(bits / 8)), or uint64 (n, ceil(bits / 64)).
    bits : int
        Length of a code.
    ids : array_like of int64, shape (n,), optional
        Unique and not negative, as keys of usearch are; by default they count from 0.

    Raises
    ------
    ShapeError, DTypeError, CodeError, IdError
        If codes or ids are unfit.
    MissingExtraError
        If usearch is not installed.
    """
    usearch: Any = import_extra("usearch.index", "usearch")
    stored = checked(codes, bits, ids)
    if len(stored.ids) and stored.ids.min() < 0:
        raise IdError(f"ids: expected none below 0, as keys of usearch, got {stored.ids.min()}")
    index = usearch.Index(ndim=bits, metric="hamming", dtype="b1")
    index.add(stored.ids.astype(np.uint64), stored.codes)
    return index


def from_index(index: Any, bits: int | None = None) -> Stored:
    """Return the codes of an index of usearch of type ``b1``.

    Parameters
    ----------
    index : usearch.index.Index
    bits : int, optional
        Length of a code; by default the index says it. Fewer bits of the same bytes are taken, for
        an index whose maker rounded them up.

    Returns
    -------
    stored : Stored
        In the order of their ids.

    Raises
    ------
    FormatError
        If the index is of another type, or has several codes under one key.
    ParameterError, CodeError, IdError
        If `bits` or the keys are unfit.
    """
    if getattr(getattr(index, "dtype", None), "name", None) != "B1":
        raise FormatError(f"index: expected one of usearch of type b1, got {index!r:.200}")
    if index.multi:
        raise FormatError("index: expected one code a key, got an index with multi=True")
    width = -(-index.ndim // 8)
    length = index.ndim if bits is None else bits_of(width, bits)
    keys = np.sort(np.asarray(index.keys[:], np.uint64))
    codes = np.zeros((len(keys), width), np.uint8)
    if len(keys):
        codes[:] = np.vstack(index.get(keys)).view(np.uint8)[:, :width]
    return checked(codes, length, keys)
