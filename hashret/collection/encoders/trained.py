"""Encoders of one's own: a file of a fitted deep or classic encoder, and what it takes.

The file is that of :meth:`hashret.deep.DeepHasher.save` or :meth:`hashret.encoders.Encoder.save`.
If it takes features, its safetensors metadata has ``features`` beside ``hashret``: JSON of what
makes them of a picture.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import FormatError
from ...extras import import_extra
from ...types import Codes, Images

__all__ = ["Trained", "describe", "load_trained", "square", "with_features"]

_KEY = "features"
_MOST_HEADER = 2**26


class Trained:
    """An encoder that was trained, read from its file.

    Parameters
    ----------
    path : path

    Raises
    ------
    FormatError
        If it is no encoder of pictures.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._features, self._encoder = load_trained(path)
        self.name = Path(path).stem
        self.settings: dict[str, Any] = {"kind": "trained", "file": os.path.abspath(path)}
        self.bits = int(self._encoder.code_bits)
        if self._features is None:
            self._size = tuple(self._encoder.input_shape_)
            self.fingerprint = str(self._encoder.fingerprint)
        else:
            self._size = (self._features["size"], self._features["size"], 3)
            parts = f"{self._encoder.fingerprint} {json.dumps(self._features, sort_keys=True)}"
            self.fingerprint = hashlib.sha256(parts.encode()).hexdigest()
        # Squares are made of the whole picture, whose shorter side is to be enough, too.
        self.side = 2 * max(self._size[:2])

    def encode(self, pictures: Sequence[Images], /) -> tuple[Codes, None]:
        """Return codes (n, ceil(bits / 8))."""
        inputs: Any = np.stack([square(one, self._size[:2]) for one in pictures])
        if self._features is not None:
            inputs = describe(inputs, self._features["size"], batch_size=1)
        elif self._size[2] == 1:
            inputs = (inputs @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)
        return self._encoder.transform(inputs), None


def load_trained(path: str | os.PathLike[str]) -> tuple[dict[str, Any] | None, Any]:
    """Return what makes features of a picture, None if nothing, and the encoder of a file."""
    metadata = _header(Path(path)).get("__metadata__", {})
    try:
        features = json.loads(metadata.get(_KEY, "null"))
        if features is not None:
            size = features["size"]
            if features["extractor"] != "pretrained" or type(size) is not int or size < 32:
                raise ValueError("features of another kind")
        kind = json.loads(metadata["hashret"]).get("kind")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{os.fspath(path)}: no encoder of hashret's: {error!r}") from None
    if kind == "deep encoder":
        encoder = import_extra("hashret.deep", "torch").DeepHasher.load(path, device="cpu")
        vectors = len(encoder.input_shape_) == 1
    else:
        encoder, vectors = import_extra("hashret.encoders", "images").load_encoder(path), True
    if vectors and features is None:
        raise FormatError(
            f"{os.fspath(path)}: takes vectors, and does not say how to make them of a picture"
        )
    return features, encoder


def with_features(data: bytes, features: dict[str, Any]) -> bytes:
    """Return a safetensors file whose metadata says which features its encoder takes.

    Parameters
    ----------
    data : bytes
        The file without.
    features : dict
        What JSON has: ``extractor`` ("pretrained") and ``size``, the side of the squares.
    """
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.setdefault("__metadata__", {})[_KEY] = json.dumps(features, sort_keys=True)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def square(picture: Images, size: tuple[int, int]) -> Images:
    """Return a picture of any size scaled to (height, width), whatever its shape was."""
    pil: Any = import_extra("PIL.Image", "images")
    scaled = pil.fromarray(picture).convert("RGB").resize(size[::-1], pil.Resampling.BICUBIC)
    return np.asarray(scaled)


def describe(
    squares: Images, size: int, *, batch_size: int = 64, device: str = "cpu", progress: Any = None
) -> npt.NDArray[np.float32]:
    """Return the features of squares (n, size, size, 3)."""
    module: Any = import_extra("hashret.features.pretrained", "pretrained")
    features: npt.NDArray[np.float32] = module.pretrained(
        squares, size=size, batch_size=batch_size, device=device, progress=progress
    )
    return features


def _header(path: Path) -> dict[str, Any]:
    """Return the header of a safetensors file."""
    with open(path, "rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        text = file.read(min(length, _MOST_HEADER))
    try:
        if len(text) != length:
            raise ValueError("truncated")
        header: dict[str, Any] = json.loads(text)
        if not isinstance(header.get("__metadata__"), dict):
            raise ValueError("without metadata")
    except (ValueError, AttributeError, RecursionError) as error:
        raise FormatError(f"{path}: no safetensors file of an encoder: {error}") from None
    return header
