"""From the name of an encoder, or from what a store keeps of it, to the encoder."""

from __future__ import annotations

import os
from collections.abc import Callable

from ...errors import HashretError, ParameterError
from ..catalogue import EncoderRow
from ..updating import Encoder
from .perceptual import Perceptual
from .trained import Trained

__all__ = ["encoder_of", "new_encoder"]

_KINDS: dict[str, Callable[[], Encoder]] = {"perceptual": Perceptual}


def new_encoder(name: str) -> Encoder:
    """Return a new encoder by its name.

    Raises
    ------
    ParameterError
        If there is none of this name.
    """
    if os.path.isfile(name):
        return Trained(name)
    if name not in _KINDS:
        raise ParameterError(
            f"encoder: expected one of {', '.join(_KINDS)} or a file, got {name!r}"
        )
    return _KINDS[name]()


def encoder_of(row: EncoderRow) -> Encoder:
    """Return the encoder that made the codes of a row of the catalogue."""
    if row.settings["kind"] == "imported":
        raise HashretError(
            f"encoder {row.name!r}: its codes were imported, and none can be made of other images; "
            "search --id finds by those that there are"
        )
    return new_encoder(row.settings.get("file", row.settings["kind"]))
