"""Milvus: JSON lines for its import, of a field ``BINARY_VECTOR``.

A document is ``{"id": 7, "code": [255, 240]}``: the bytes of a code as numbers from 0 to 255, byte
for byte as pymilvus's ``LocalBulkWriter`` writes JSON lines. The
collection has a field ``id`` of type ``INT64`` as primary key, and a field ``code`` of type
``BINARY_VECTOR`` whose ``dim`` is :func:`~hashret.bridges.dimension`; its metric is ``HAMMING``.
"""

from __future__ import annotations

import json
from typing import Any

import numpy.typing as npt

from .lines import bytes_of, id_of, read_lines, write_lines
from .stored import Source, Stored, Target, checked

__all__ = ["read", "write"]


def write(
    target: Target, codes: npt.ArrayLike, bits: int, ids: npt.ArrayLike | None = None
) -> None:
    """Write a document a line.

    Parameters
    ----------
    target : path or binary file
    codes : array_like
        uint8 (n, ceil(bits / 8)), or uint64 (n, ceil(bits / 64)).
    bits : int
        Length of a code.
    ids : array_like of int64, shape (n,), optional
        Unique and not -1; by default they count from 0.

    Raises
    ------
    ShapeError, DTypeError, CodeError, IdError
        If codes or ids are unfit; nothing is written then.
    """
    write_lines(
        target,
        checked(codes, bits, ids),
        lambda number, code: json.dumps({"id": number, "code": code.tolist()}),
    )


def read(source: Source, bits: int | None = None) -> Stored:
    """Read such lines.

    Raises
    ------
    FormatError
        If a line has no id or code; names it.
    ParameterError, CodeError, IdError
        If `bits`, codes or ids are unfit.
    """
    return read_lines(source, _place, bits)


def _place(document: Any) -> tuple[int, bytes]:
    return id_of(document["id"]), bytes_of(document["code"])
