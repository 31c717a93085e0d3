"""Files of encoders that are made of others: each part as bytes, and a header in JSON."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..encoders.fitted import MALFORMED, as_json
from ..errors import FormatError, HashretError
from ..extras import import_extra
from ..files import write_bytes

__all__ = ["malformed", "open_part", "part_of", "read_parts", "write_parts"]

FORMAT = 1
Arrays = dict[str, npt.NDArray[Any]]


class _Saves(Protocol):
    def save(self, path: str | Path) -> None: ...


def part_of(encoder: _Saves) -> npt.NDArray[np.uint8]:
    """Return the file of an encoder as bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "part")
        encoder.save(path)
        return np.frombuffer(path.read_bytes(), np.uint8)


@contextmanager
def open_part(part: npt.NDArray[np.uint8]) -> Iterator[Path]:
    """Write such bytes to a file, which is there within the block."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "part")
        write_bytes(path, part.tobytes(), sync=False)
        yield path


def write_parts(
    path: str | Path, kind: str, header: Mapping[str, Any], arrays: Mapping[str, Any]
) -> None:
    """Write a safetensors file of arrays and a header, atomically."""
    safetensors = import_extra("safetensors.numpy", "torch")
    known = {"kind": kind, "format": FORMAT, **header}
    write_bytes(path, safetensors.save(dict(arrays), {"hashret": as_json(known)}))


def read_parts(path: str | Path, kind: str) -> tuple[dict[str, Any], Arrays]:
    """Return the header and the arrays of such a file.

    Raises
    ------
    FormatError
        If it is another file, or damaged.
    """
    safetensors = import_extra("safetensors", "torch")
    Path(path).stat()  # a missing file is a FileNotFoundError, not a damaged one
    with (
        malformed(path, kind),
        safetensors.safe_open(str(path), framework="numpy") as file,
    ):
        header = json.loads((file.metadata() or {}).get("hashret", "null"))
        if not isinstance(header, dict) or header.get("kind") != kind:
            raise FormatError(f"{path}: not a file of a hashret {kind}")
        if header["format"] != FORMAT:
            raise FormatError(f"{path}: format {header['format']}, this reads {FORMAT}")
        return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@contextmanager
def malformed(path: str | Path, kind: str) -> Iterator[None]:
    """Turn what reading a damaged file raises into a FormatError."""
    safetensors = import_extra("safetensors", "torch")
    try:
        yield
    except FormatError:
        raise
    except (safetensors.SafetensorError, HashretError, *MALFORMED) as error:
        raise FormatError(f"{path}: not a saved {kind}: {error!r}") from error
