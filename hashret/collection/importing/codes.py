"""Codes that other programs made, as those of an encoder of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ParameterError
from ..catalogue import Catalogue, encoder_rows, enter_encoder
from ..indexes import save_index

__all__ = ["IMPORTED", "check_name", "write_codes"]

# The kind of an encoder that makes no codes of new images.
IMPORTED = "imported"


def check_name(catalogue: Catalogue, name: str) -> None:
    """Raise if codes cannot be imported under a name."""
    if not name or not name.isprintable() or len(name) > 100:
        raise ParameterError(f"name: expected 1 to 100 printable characters, got {name[:120]!r}")
    known = encoder_rows(catalogue).get(name)
    if known is not None and known.settings.get("kind") != IMPORTED:
        raise ParameterError(f"name: {name!r} is an encoder of the collection; choose another")


def write_codes(
    catalogue: Catalogue,
    name: str,
    fingerprint: str,
    bits: int,
    settings: Mapping[str, Any],
    codes: Mapping[int, bytes],
) -> None:
    """Write codes by the ids of images; they replace those that the images had.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    name, fingerprint, bits
        Of the encoder; it is entered if there is none.
    settings : mapping
        What JSON has.
    codes : mapping of int to bytes

    Raises
    ------
    EncoderMismatchError
        If the name has codes with another fingerprint.
    """
    check_name(catalogue, name)
    with catalogue.transaction():
        row = enter_encoder(catalogue, name, fingerprint, bits, {"kind": IMPORTED, **settings})
        replaced = catalogue.executemany(
            "DELETE FROM codes WHERE encoder = ? AND image = ?", ((row, image) for image in codes)
        ).rowcount
        generation = catalogue.raise_generation(removed=replaced > 0)
        catalogue.executemany(
            "INSERT INTO codes (encoder, image, code, generation) VALUES (?, ?, ?, ?)",
            ((row, image, code, generation) for image, code in codes.items()),
        )
    save_index(catalogue, encoder_rows(catalogue)[name])
