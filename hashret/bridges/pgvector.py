"""PostgreSQL with pgvector: codes as ``bit(n)``, by ``COPY`` in its binary format.

The first bit of a code is the leftmost of ``bit(n)``; any length goes, without padding. A file is
loaded and written by ``psql``::

    \\copy codes (id, code) FROM 'codes.pgcopy' WITH (FORMAT binary)
    \\copy (SELECT id, code FROM codes ORDER BY id) TO 'codes.pgcopy' WITH (FORMAT binary)

``SELECT id, code <~> B'1010...' AS distance FROM codes ORDER BY distance, id LIMIT 10`` searches.
The format is described in the manual of PostgreSQL, at ``COPY``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..codes import check_bits
from ..errors import FormatError, ParameterError
from .stored import Source, Stored, Target, checked, dimension, reading, writing

__all__ = ["read", "schema", "write"]

# Flags and the length of an extension of the header follow the signature: neither is used.
_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HEADER = _SIGNATURE + bytes(8)
_TRAILER = b"\xff\xff"
_AT_ONCE = 1 << 16


def schema(bits: int) -> str:
    """Return the SQL that makes a table for codes of so many bits.

    Examples
    --------
    >>> print(schema(12), end="")
    CREATE EXTENSION IF NOT EXISTS vector;
    CREATE TABLE codes (id bigint PRIMARY KEY, code bit(12) NOT NULL);
    """
    return (
        "CREATE EXTENSION IF NOT EXISTS vector;\n"
        f"CREATE TABLE codes (id bigint PRIMARY KEY, code bit({check_bits(bits)}) NOT NULL);\n"
    )


def write(
    target: Target, codes: npt.ArrayLike, bits: int, ids: npt.ArrayLike | None = None
) -> None:
    """Write what ``COPY codes (id, code) FROM ... WITH (FORMAT binary)`` loads.

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
    stored = checked(codes, bits, ids)
    layout = _row(bits)
    with writing(target) as file:
        file.write(_HEADER)
        for start in range(0, len(stored.codes), _AT_ONCE):
            part = stored.codes[start : start + _AT_ONCE]
            rows = np.empty(len(part), layout)
            for name, value in _frame(layout, bits).items():
                rows[name] = value
            rows["id"], rows["code"] = stored.ids[start : start + _AT_ONCE], part
            file.write(rows.tobytes())
        file.write(_TRAILER)


def read(source: Source, bits: int | None = None) -> Stored:
    """Read what ``COPY (SELECT id, code ...) TO ... WITH (FORMAT binary)`` has written.

    Parameters
    ----------
    source : path or binary file
    bits : int, optional
        Needed for a file without rows alone; else the rows say it.

    Returns
    -------
    stored : Stored
        In the order of the file.

    Raises
    ------
    FormatError
        If it is no such file, is truncated, or has rows other than a ``bigint`` and a ``bit(n)``,
        all of one length and none NULL.
    ParameterError
        If `bits` is not what the rows say.
    IdError
        If an id is -1, or repeated.
    """
    with reading(source) as (file, where):
        data = file.read()
    if not data.startswith(_HEADER):
        raise FormatError(f"{where}: expected PostgreSQL's binary COPY, without object ids")
    body = memoryview(data)[len(_HEADER) :]
    if len(body) < 2 or body[-2:] != _TRAILER:
        raise FormatError(f"{where}: truncated: it has not the end of a binary COPY")
    body = body[:-2]
    if not len(body):
        if bits is None:
            raise ParameterError("bits: expected a length, as the file has no rows that tell it")
        return checked(np.empty((0, dimension(bits) // 8), np.uint8), bits)
    known = _bits_in(body, where)
    if bits not in (None, known):
        raise ParameterError(f"bits: got {bits}, but {where} has bit({known})")
    return _rows(body, known, where)


def _rows(body: memoryview, bits: int, where: str) -> Stored:
    layout = _row(bits)
    if len(body) % layout.itemsize:
        raise FormatError(f"{where}: truncated, or its rows are not of one length")
    rows = np.frombuffer(body, layout)
    for name, value in _frame(layout, bits).items():
        other = np.flatnonzero(rows[name] != value)
        if len(other):
            raise FormatError(
                f"{where}: row {other[0]}: expected a bigint and a bit({bits}), none of them NULL"
            )
    return checked(rows["code"], bits, rows["id"].astype(np.int64))


def _bits_in(body: memoryview, where: str) -> int:
    """Return the length of the code in the first row."""
    head = _row(1)
    if len(body) < head.itemsize:
        raise FormatError(f"{where}: truncated in its first row")
    first = np.frombuffer(body, head, count=1)[0]
    if (first["fields"], first["id_bytes"]) != (2, 8):
        raise FormatError(
            f"{where}: expected rows of a bigint and a bit(n); SELECT id::bigint, code"
        )
    try:
        return check_bits(int(first["bits"]))
    except ParameterError as error:
        raise FormatError(f"{where}: its first row: {error}") from None


def _row(bits: int) -> np.dtype[np.void]:
    """Return how a row lies in the file: numbers are big-endian, lengths precede values."""
    width = -(-bits // 8)
    return np.dtype(
        [
            ("fields", ">i2"),
            ("id_bytes", ">i4"),
            ("id", ">i8"),
            ("code_bytes", ">i4"),
            ("bits", ">i4"),
            ("code", np.uint8, (width,)),
        ]
    )


def _frame(layout: np.dtype[np.void], bits: int) -> dict[str, int]:
    """Return what is the same in every row."""
    return {"fields": 2, "id_bytes": 8, "code_bytes": 4 + layout["code"].itemsize, "bits": bits}
