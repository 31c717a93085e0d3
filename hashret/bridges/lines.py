"""Files of a JSON object a line, each a document with an id and a code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError, ParameterError
from .stored import Source, Stored, Target, bits_of, checked, dimension, reading, writing

__all__ = ["Place", "bytes_of", "id_of", "read_lines", "write_lines"]

# The id and the code of a document; None if the line has none.
Place = Callable[[Any], tuple[int, bytes] | None]


def write_lines(
    target: Target, stored: Stored, line: Callable[[int, npt.NDArray[np.uint8]], str]
) -> None:
    """Write the lines of each code."""
    with writing(target) as file:
        for number, code in zip(stored.ids.tolist(), stored.codes, strict=True):
            file.write((line(number, code) + "\n").encode())


def read_lines(source: Source, place: Place, bits: int | None) -> Stored:
    """Read lines; empty ones are left out.

    Raises
    ------
    FormatError
        If a line is no JSON or has no code, codes differ in length, or there is none and `bits` is
        not given; names the line.
    ParameterError, CodeError, IdError
        If `bits`, codes or ids are unfit.
    """
    ids: list[int] = []
    codes: list[bytes] = []
    with reading(source) as (file, where):
        for number, line in enumerate(file, 1):
            try:
                found = place(json.loads(line)) if line.strip() else None
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                raise FormatError(f"{where}: line {number}: no document with a code") from None
            if found is None:
                continue
            if codes and len(found[1]) != len(codes[0]):
                raise FormatError(
                    f"{where}: line {number}: a code of {len(found[1])} bytes, "
                    f"but {len(codes[0])} before"
                )
            ids.append(found[0])
            codes.append(found[1])
    if not codes and bits is None:
        raise ParameterError("bits: expected a length, as the file has no codes that tell it")
    width = len(codes[0]) if codes else dimension(bits or 0) // 8
    length = bits_of(width, bits)
    packed = np.frombuffer(b"".join(codes), np.uint8).reshape(-1, width)
    return checked(packed, length, np.array(ids, np.int64))


def id_of(value: Any) -> int:
    """Return an id, or raise ValueError."""
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError("no id")
    return value


def bytes_of(values: Any) -> bytes:
    """Return the bytes of a list of whole numbers, signed or not, or of hexadecimal digits."""
    if isinstance(values, str):
        return bytes.fromhex(values)
    if not values or not all(type(value) is int and -128 <= value <= 255 for value in values):
        raise ValueError("no bytes")
    return bytes(value & 0xFF for value in values)
