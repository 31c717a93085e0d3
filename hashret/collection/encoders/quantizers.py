"""Encoders of features, as files that may say which features they take.

The files are those that :class:`hashret.encoders.Encoder`, :class:`hashret.deep.DeepHasher` and
:class:`hashret.prism.Prism` save; what a picture is described by stands in their metadata under
``features``, as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Protocol

import numpy.typing as npt

from ... import encoders
from ...encoders.fitted import FittedProjection, header_of
from ...errors import FormatError
from ...extras import import_extra
from ...ranking import Rule
from ...types import Codes

__all__ = ["Quantizer", "card_of", "features_in", "learned", "load_quantizer", "with_features"]

_SIZES = range(32, 513)
# Encoders that torch runs: where they are, by what their files call them.
_LEARNED = {
    "deep encoder": ("hashret.deep", "DeepHasher"),
    "prism encoder": ("hashret.prism", "Prism"),
}


class Quantizer(Protocol):
    """From vectors to codes; the code of a vector is the same whatever others it comes with."""

    @property
    def code_bits(self) -> int:
        """Length of a code."""

    @property
    def codes_fingerprint(self) -> str:
        """Equal ones give equal codes."""

    @property
    def ranking(self) -> Rule | None:
        """The rule by which the codes are ranked, if there is one."""

    def transform(self, X: Any, /) -> Codes:
        """Return the packed codes of vectors (n, d)."""

    def project(self, X: Any, /) -> npt.NDArray[Any]:
        """Return the margins of the bits of vectors, shape (n, code_bits): 1 where > 0."""

    def save(self, path: str) -> None:
        """Write it to a safetensors file."""


def load_quantizer(path: str) -> Quantizer:
    """Read a fitted encoder: classic, deep or of two parts."""
    with open(path, "rb") as file:
        data = file.read()
    card = card_of(path, data)
    if not learned(card):
        return FittedProjection.read(data, path) or encoders.load_encoder(path)
    module, name = _LEARNED[card["kind"]]
    encoder: Quantizer = getattr(import_extra(module, "torch"), name).load(path, device="cpu")
    return encoder


def learned(card: dict[str, Any]) -> bool:
    """Return whether an encoder takes what its network does: pixels, or some features."""
    return str(card.get("kind")) in _LEARNED


def card_of(path: object, data: bytes) -> dict[str, Any]:
    """Return what a safetensors file of hashret says of itself.

    Raises
    ------
    FormatError
        If it is none.
    """
    try:
        card = json.loads(header_of(data)["__metadata__"]["hashret"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise FormatError(f"{path}: no encoder that hashret saved, nor an ONNX model") from error
    if not isinstance(card, dict):
        raise FormatError(f"{path}: no encoder that hashret saved")
    return card


def features_in(path: object, data: bytes, networks: Collection[str]) -> dict[str, Any] | None:
    """Return the settings of the features that a file's encoder takes; None if it says nothing.

    Raises
    ------
    FormatError
        If they are none that there are.
    """
    text = header_of(data)["__metadata__"].get("features")
    if text is None:
        return None
    try:
        found = json.loads(text)
        size, network = found["size"], found["network"]
        if found["features"] != "lite" or network not in networks or size not in _SIZES:
            raise ValueError("of no kind that is known")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise FormatError(f"{path}: takes features that cannot be made: {error}") from None
    return {"features": "lite", "network": network, "size": int(size)}


def with_features(data: bytes, settings: dict[str, Any]) -> bytes:
    """Return a file of an encoder that says which features it takes."""
    header = header_of(data)
    header["__metadata__"]["features"] = json.dumps(settings, sort_keys=True)
    text = json.dumps(header).encode()
    # The tensors begin at a multiple of eight.
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + int.from_bytes(data[:8], "little") :]
