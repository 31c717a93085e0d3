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

import torch
from torch import Tensor

from ...errors import DTypeError, FormatError, ParameterError
from ...extras import import_extra
from ...files import write_bytes

__all__ = ["Card", "as_json", "check_storable", "digest", "read_tensors", "write_tensors"]

Card = dict[str, Any]
"""What is known of an encoder; see :attr:`~hashret.deep.DeepHasher.card_`."""

_KEY = "hashret"
# In the header, of the rest of it and the tensors; files written before there was one have none.
_DIGEST = "digest"


def write_tensors(
    path: str | Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]
) -> None:
    """Write `tensors` and `header`; `path` then holds the old file or the new one, never a part."""
    safetensors = import_extra("safetensors.torch", "torch")
    known = json.loads(json.dumps(header))  # as it is read, so that the digest is the same
    text = json.dumps(known | {_DIGEST: _digest_of(known, tensors)}, sort_keys=True)
    write_bytes(path, safetensors.save(_own_copies(tensors), metadata={_KEY: text}))


def _digest_of(header: Card, tensors: Mapping[str, Tensor]) -> str:
    return digest(header, *(part for pair in sorted(tensors.items()) for part in pair))


def check_storable(tensor: Tensor, what: str) -> None:
    """Raise if :func:`write_tensors` cannot write a tensor, for its type of numbers or layout.

    Raises
    ------
    DTypeError
        That begins with `what`.
    """
    safetensors = import_extra("safetensors.torch", "torch")
    found = f"{tensor.dtype}, {tensor.layout}"
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested:
        raise DTypeError(f"{what} is not an ordinary tensor: {found}")
    try:
        safetensors.save({"": torch.empty(1, dtype=tensor.dtype)})
    except (KeyError, ValueError, RuntimeError):
        raise DTypeError(
            f"{what} is of numbers that safetensors has no name for: {found}"
        ) from None


def _own_copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of which none shares memory with another: safetensors refuses those."""
    copies: dict[str, Tensor] = {}
    addresses: set[int] = set()
    for name, tensor in tensors.items():
        own = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
        address = own.untyped_storage().data_ptr()
        copies[name] = own.clone() if address in addresses else own
        addresses.add(address)
    return copies


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
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            known = header.pop(_DIGEST, None)
            if known is not None and known != _digest_of(header, tensors):
                raise FormatError(f"{path}: damaged: the digest does not fit the contents")
            return tensors, header
    except (safetensors.SafetensorError, ValueError, RecursionError, OverflowError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path}: not a readable safetensors file: {error}") from error


def as_json(card: object) -> Card:
    """Return a copy of a card as it comes back from a file, or raise.

    Raises
    ------
    ParameterError
        If it is no dictionary of what JSON has, or holds NaN.
    """
    if not isinstance(card, Mapping):
        raise ParameterError(f"card: expected a dictionary, got {type(card).__name__}")
    try:
        copied: Card = json.loads(json.dumps(dict(card), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ParameterError(f"card: expected what JSON can hold: {error}") from error
    return copied


def digest(*parts: Any) -> str:
    """Return the SHA-256, in hexadecimal, of tensors (dtype, shape, bytes) and JSON values."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            tensor = part.detach().cpu().resolve_conj().resolve_neg().contiguous()
            dtype = str(tensor.dtype).removeprefix("torch.")
            total.update(f"{dtype}{tuple(tensor.shape)}".encode())
            # numpy lacks some of torch's types, but has bytes.
            total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
        else:
            total.update(json.dumps(part, sort_keys=True).encode())
        total.update(b"\0")
    return total.hexdigest()
