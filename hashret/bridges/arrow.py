"""Codes as columns of Arrow, which Parquet and LanceDB hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..extras import import_extra
from ..types import Codes
from .stored import Stored, bits_of, checked

__all__ = ["BITS", "COMPRESSION", "as_column", "as_stored", "code_schema"]

# Key of the schema's metadata.
BITS = "hashret.bits"
# Of files of Parquet.
COMPRESSION = "zstd"
# Of a number of bits, and one more.
_DIGITS = 5


def code_schema(
    bits: int, fields: Sequence[Any] = (), metadata: Mapping[str, str] | None = None
) -> Any:
    """Return the schema of a table of codes, with further fields and metadata."""
    arrow: Any = import_extra("pyarrow", "parquet")
    columns = [("id", arrow.int64()), ("code", arrow.binary(-(-bits // 8))), *fields]
    return arrow.schema(columns, metadata={BITS: str(bits), **(metadata or {})})


def as_column(codes: Codes) -> Any:
    """Return codes as an array of Arrow, over the same memory."""
    arrow: Any = import_extra("pyarrow", "parquet")
    width = codes.shape[1]
    return arrow.FixedSizeBinaryArray.from_buffers(
        arrow.binary(width), len(codes), [None, arrow.py_buffer(codes)]
    )


def as_stored(table: Any, bits: int | None, where: str) -> Stored:
    """Return what the columns ``id`` and ``code`` of a table of Arrow hold."""
    arrow: Any = import_extra("pyarrow", "parquet")
    missing = {"id", "code"} - {*table.column_names}
    if missing or table["id"].null_count or table["code"].null_count:
        raise FormatError(f"{where}: expected columns id and code without nulls")
    kind = table.schema.field("code").type
    if arrow.types.is_fixed_size_list(kind) and arrow.types.is_integer(kind.value_type):
        width = kind.list_size
        flat = table["code"].combine_chunks().flatten()
        if flat.null_count:
            raise FormatError(f"{where}: expected codes without nulls")
        values = flat.to_numpy()
    elif arrow.types.is_fixed_size_binary(kind):
        width = kind.byte_width
        values = _bytes_in(table["code"], width)
    else:
        raise FormatError(f"{where}: expected codes of a fixed number of bytes, got {kind}")
    said = (table.schema.metadata or {}).get(BITS.encode())
    # More digits than any length has are none that int has to take.
    known = int(said[:_DIGITS]) if said is not None and said.isdigit() else None
    length = bits_of(width, bits, known)
    return checked(values.reshape(-1, width), length, table["id"].to_numpy())


def _bytes_in(column: Any, width: int) -> npt.NDArray[Any]:
    parts = [np.empty(0, np.uint8)]
    for chunk in column.chunks:
        whole = np.frombuffer(chunk.buffers()[1], np.uint8) if len(chunk) else parts[0]
        parts.append(whole[chunk.offset * width : (chunk.offset + len(chunk)) * width])
    return np.concatenate(parts)
