"""OpenSearch: bodies of bulk requests, of a field ``knn_vector`` whose type is ``binary``.

A document is two lines: what to do, and the document, whose code is its bytes as numbers from -128
to 127. :func:`schema` is the body of the request that makes the index.
"""

from __future__ import annotations

import json
from typing import Any

import numpy.typing as npt

from ..codes import to_int8
from .lines import bytes_of, id_of, read_lines, write_lines
from .stored import Source, Stored, Target, checked, dimension

__all__ = ["read", "schema", "write"]


def schema(bits: int) -> str:
    """Return the body of the request that makes an index for codes of so many bits.

    Examples
    --------
    >>> import json
    >>> json.loads(schema(12))["mappings"]["properties"]["code"]["dimension"]
    16
    """
    code = {
        "type": "knn_vector",
        "dimension": dimension(bits),
        "data_type": "binary",
        "space_type": "hamming",
        "method": {"name": "hnsw", "engine": "faiss"},
    }
    properties = {"id": {"type": "long"}, "code": code}
    body = {"settings": {"index": {"knn": True}}, "mappings": {"properties": properties}}
    return json.dumps(body, indent=2) + "\n"


def write(
    target: Target, codes: npt.ArrayLike, bits: int, ids: npt.ArrayLike | None = None
) -> None:
    """Write what is sent to ``INDEX/_bulk``, some thousands of lines at a time.

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

    def lines(number: int, code: npt.NDArray[Any]) -> str:
        document = {"id": number, "code": to_int8(code[None], bits)[0].tolist()}
        return json.dumps({"index": {"_id": str(number)}}) + "\n" + json.dumps(document)

    write_lines(target, stored, lines)


def read(source: Source, bits: int | None = None) -> Stored:
    """Read such a body, or a found document a line (``_source``).

    Raises
    ------
    FormatError
        If a line has no id or code; names it.
    ParameterError, CodeError, IdError
        If `bits`, codes or ids are unfit.
    """
    return read_lines(source, _place, bits)


def _place(document: Any) -> tuple[int, bytes] | None:
    # What to do stands alone in its line; a document may have a field of that name.
    if document.keys() in ({"index"}, {"create"}):
        return None
    found = document.get("_source", document)
    return id_of(found["id"]), bytes_of(found["code"])
