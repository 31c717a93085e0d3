"""Parquet: a column ``id`` and a column ``code`` of a fixed number of bytes, by zstd.

The schema's metadata says ``hashret.bits``. What ``hashret export codes.parquet`` writes has these
columns, too, and is read as well; so is any table with such columns that others made.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from ..errors import FormatError
from ..extras import import_extra
from .arrow import COMPRESSION, as_column, as_stored, code_schema
from .stored import Source, Stored, Target, checked, reading, writing

__all__ = ["read", "write"]

_ROW_GROUP = 1 << 20


def write(
    target: Target, codes: npt.ArrayLike, bits: int, ids: npt.ArrayLike | None = None
) -> None:
    """Write a table of ids and codes.

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
    MissingExtraError
        If pyarrow is not installed.
    """
    arrow: Any = import_extra("pyarrow", "parquet")
    parquet: Any = import_extra("pyarrow.parquet", "parquet")
    stored = checked(codes, bits, ids)
    table = arrow.table([stored.ids, as_column(stored.codes)], schema=code_schema(bits))
    with writing(target) as file:
        parquet.write_table(
            table,
            file,
            compression=COMPRESSION,
            row_group_size=_ROW_GROUP,
            write_page_checksum=True,
        )


def read(source: Source, bits: int | None = None) -> Stored:
    """Read the columns ``id`` and ``code`` of a table.

    Parameters
    ----------
    source : path or binary file
    bits : int, optional
        Length of a code, where the table does not say it; then all bits of its bytes by default.

    Returns
    -------
    stored : Stored
        In the order of the table.

    Raises
    ------
    FormatError
        If it is no such table, or is truncated.
    ParameterError
        If `bits` is not what the table says.
    CodeError, IdError
        If a code has a bit beyond its length, or an id is -1 or repeated.
    MissingExtraError
        If pyarrow is not installed.
    """
    arrow: Any = import_extra("pyarrow", "parquet")
    parquet: Any = import_extra("pyarrow.parquet", "parquet")
    with reading(source) as (file, where):
        try:
            table = parquet.read_table(
                file, columns=["id", "code"], page_checksum_verification=True
            )
        except (arrow.ArrowException, OSError) as error:
            raise FormatError(f"{where}: no table of Parquet that can be read: {error}") from None
    return as_stored(table, bits, where)
