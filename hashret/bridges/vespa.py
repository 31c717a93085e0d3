"""Vespa: JSON lines for ``vespa feed``, of a field ``tensor<int8>``.

A code is its bytes in hexadecimal, as Vespa takes cells of type ``int8``; it has as many cells as
bytes. What ``vespa visit`` prints, where cells are numbers from -128 to 127, is read as well.
"""

from __future__ import annotations

import json
from typing import Any

import numpy.typing as npt

from .lines import bytes_of, id_of, read_lines, write_lines
from .stored import Source, Stored, Target, checked, dimension

__all__ = ["read", "schema", "write"]


def schema(bits: int) -> str:
    """Return the schema of documents with codes of so many bits.

    Examples
    --------
    >>> "tensor<int8>(x[2])" in schema(12)
    True
    """
    return f"""\
schema codes {{
    document codes {{
        field id type long {{
            indexing: attribute | summary
        }}
        field code type tensor<int8>(x[{dimension(bits) // 8}]) {{
            indexing: attribute | index
            attribute {{
                distance-metric: hamming
            }}
        }}
    }}
    rank-profile nearest {{
        inputs {{
            query(code) tensor<int8>(x[{dimension(bits) // 8}])
        }}
        first-phase {{
            expression: closeness(field, code)
        }}
    }}
}}
"""


def write(
    target: Target, codes: npt.ArrayLike, bits: int, ids: npt.ArrayLike | None = None
) -> None:
    """Write a ``put`` a line.

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
    write_lines(target, checked(codes, bits, ids), _put)


def read(source: Source, bits: int | None = None) -> Stored:
    """Read lines of documents, to be fed or as they are printed.

    Raises
    ------
    FormatError
        If a line has no id or code; names it.
    ParameterError, CodeError, IdError
        If `bits`, codes or ids are unfit.
    """
    return read_lines(source, _place, bits)


def _put(number: int, code: npt.NDArray[Any]) -> str:
    fields = {"id": number, "code": code.tobytes().hex().upper()}
    return json.dumps({"put": f"id:hashret:codes::{number}", "fields": fields})


def _place(document: Any) -> tuple[int, bytes]:
    fields = document["fields"]
    code = fields["code"]
    return id_of(fields["id"]), bytes_of(code["values"] if isinstance(code, dict) else code)
