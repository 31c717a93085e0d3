"""LanceDB: a table of ids and codes, whose distance is ``hamming`` on bytes.

A code is a list of bytes of fixed length; the schema's metadata says ``hashret.bits``.
``table.search(code.tolist(), vector_column_name="code").distance_type("hamming")`` searches.
"""

from __future__ import annotations

import os
import re
from typing import Any

import numpy.typing as npt

from ..errors import FormatError, ParameterError
from ..extras import import_extra
from .arrow import BITS, as_stored
from .stored import Stored, checked

__all__ = ["read", "write"]

_TABLE = re.compile(r"[A-Za-z0-9_.-]+")


def write(
    target: str | os.PathLike[str],
    codes: npt.ArrayLike,
    bits: int,
    ids: npt.ArrayLike | None = None,
    table: str = "codes",
) -> None:
    """Write a table of a database; one of that name gets a new version as a whole, or stays.

    Parameters
    ----------
    target : path
        The folder of the database; it is made if there is none.
    codes : array_like
        uint8 (n, ceil(bits / 8)), or uint64 (n, ceil(bits / 64)).
    bits : int
        Length of a code.
    ids : array_like of int64, shape (n,), optional
        Unique and not -1; by default they count from 0.
    table : str
        Its name.

    Raises
    ------
    ShapeError, DTypeError, CodeError, IdError
        If codes or ids are unfit; nothing is written then.
    ParameterError
        If `table` is no name for one.
    MissingExtraError
        If lancedb is not installed.
    """
    lancedb: Any = import_extra("lancedb", "lancedb")
    arrow: Any = import_extra("pyarrow", "lancedb")
    stored = checked(codes, bits, ids)
    if not _TABLE.fullmatch(table):
        raise ParameterError(f"table: expected letters, digits, _, - and ., got {table!r}")
    flat = arrow.array(stored.codes.ravel())
    column = arrow.FixedSizeListArray.from_arrays(flat, stored.codes.shape[1])
    schema = arrow.schema(
        [("id", arrow.int64()), ("code", column.type)], metadata={BITS: str(bits)}
    )
    data = arrow.table([stored.ids, column], schema=schema)
    database = lancedb.connect(os.fspath(target))
    mode = "overwrite" if table in _tables(database) else "create"
    database.create_table(table, data=data, mode=mode)


def read(source: str | os.PathLike[str], bits: int | None = None, table: str = "codes") -> Stored:
    """Read the columns ``id`` and ``code`` of a table.

    Parameters
    ----------
    source : path
        The folder of the database.
    bits : int, optional
        Length of a code, where the table does not say it; then all bits of its bytes by default.
    table : str
        Its name.

    Returns
    -------
    stored : Stored
        In the order of the table.

    Raises
    ------
    FormatError
        If there is no such database, the table is damaged, or it has other columns.
    ParameterError
        If there is no such table, or `bits` is not what it says.
    CodeError, IdError
        If a code has a bit beyond its length, or an id is -1 or repeated.
    MissingExtraError
        If lancedb is not installed.
    """
    lancedb: Any = import_extra("lancedb", "lancedb")
    where = os.fspath(source)
    if not os.path.isdir(where):
        raise FormatError(f"{where}: no folder of LanceDB")
    database = lancedb.connect(where)
    names = _tables(database)
    if table not in names:
        raise ParameterError(f"table: expected one of {', '.join(names) or 'none'}, got {table!r}")
    try:
        found = database.open_table(table).to_arrow()
    except (RuntimeError, ValueError, OSError) as error:
        raise FormatError(f"{where}: no table that can be read: {str(error)[:200]}") from None
    return as_stored(found, bits, where)


def _tables(database: Any) -> list[str]:
    names: list[str] = []
    token = None
    while True:
        page = database.list_tables(page_token=token)
        names += page.tables
        token = page.page_token
        if not token:
            return names
