"""From the name of an encoder, or from what a store keeps of it, to the encoder."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import ParameterError
from ..catalogue import EncoderRow
from ..updating import Encoder
from .borderless import Borderless
from .perceptual import Perceptual

__all__ = ["encoder_of", "new_encoder"]

_KINDS: dict[str, Callable[[], Encoder]] = {
    "perceptual": Perceptual,
    "borderless": Borderless,
}


def new_encoder(name: str) -> Encoder:
    """Return a new encoder by its name.

    Raises
    ------
    ParameterError
        If there is none of this name.
    """
    if name not in _KINDS:
        raise ParameterError(f"encoder: expected one of {', '.join(_KINDS)}, got {name!r}")
    return _KINDS[name]()


def encoder_of(row: EncoderRow) -> Encoder:
    """Return the encoder that made the codes of a row of the catalogue."""
    return new_encoder(row.settings["kind"])
