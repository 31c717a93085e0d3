"""Tensors and a JSON header in one safetensors file, written atomically.

The header lies in the file's own metadata, so that the two can never disagree,
and nothing in the file is ever executed or unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import FormatError, import_extra
from ..files import write_bytes

__all__ = ["digest", "read_tensors", "write_tensors"]

_KEY = "hashret"


def write_tensors(
    path: str | Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]
) -> None:
    """Write `tensors` and `header`; `path` then holds the old file or the new one, never a part."""
    safetensors = import_extra("safetensors.torch", "torch")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, safetensors.save(plain, metadata={_KEY: json.dumps(header, sort_keys=True)}))


def read_tensors(path: str | Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`write_tensors` wrote.

    Parameters
    ----------
    kind : str
        What the header's "kind" must be.

    Raises
    ------
    FormatError
        If the file is no safetensors file, is damaged, or holds something else.
    """
    safetensors = import_extra("safetensors", "torch")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(_KEY, "null"))
            if not isinstance(header, dict) or header.get("kind") != kind:
                raise FormatError(f"{path}: not a file of a hashret {kind}")
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except (safetensors.SafetensorError, ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path}: not a readable safetensors file: {error}") from error


def digest(*parts: Any) -> str:
    """Return the SHA-256, in hexadecimal, of tensors (dtype, shape, bytes) and JSON values."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            array = part.detach().cpu().contiguous().numpy()
            total.update(f"{array.dtype}{array.shape}".encode())
            total.update(array.tobytes())
        else:
            total.update(json.dumps(part, sort_keys=True).encode())
        total.update(b"\0")
    return total.hexdigest()
