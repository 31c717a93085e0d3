"""Which encoders a catalogue has codes of."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ...errors import EncoderMismatchError
from .catalogue import Catalogue

__all__ = ["EncoderRow", "activate", "encoder_rows", "enter_encoder"]


class EncoderRow(NamedTuple):
    """An encoder as the catalogue knows it.

    Attributes
    ----------
    id : int
    name : str
    fingerprint : str
    bits : int
    settings : dict
        What makes it again.
    active : bool
        Whether its codes answer.
    """

    id: int
    name: str
    fingerprint: str
    bits: int
    settings: dict[str, Any]
    active: bool


def encoder_rows(catalogue: Catalogue, *, all: bool = False) -> dict[str, EncoderRow]:
    """Return the active encoders by name; with `all`, those by fingerprint that are not, too."""
    rows = catalogue.execute(
        "SELECT id, name, fingerprint, bits, settings, active FROM encoders "
        "WHERE active OR ? ORDER BY id",
        (all,),
    )
    found = [
        EncoderRow(row, name, fingerprint, bits, json.loads(settings), bool(active))
        for row, name, fingerprint, bits, settings, active in rows
    ]
    return {row.name if row.active else row.fingerprint: row for row in found}


def enter_encoder(
    catalogue: Catalogue,
    name: str,
    fingerprint: str,
    bits: int,
    settings: dict[str, Any],
    *,
    beside: bool = False,
) -> int:
    """Return the row of an encoder, a new one if there is none.

    Parameters
    ----------
    beside : bool
        Enter it beside another of this name, whose codes go on answering until
        :func:`activate`.

    Raises
    ------
    EncoderMismatchError
        If codes under this name come from another encoder, and this is not to stand beside it.
    """
    if not beside:
        check_encoder(catalogue, name, fingerprint)
    catalogue.execute(
        "INSERT OR IGNORE INTO encoders (name, fingerprint, bits, settings, active) "
        "VALUES (?, ?, ?, ?, ?)",
        (name, fingerprint, bits, json.dumps(settings), name not in encoder_rows(catalogue)),
    )
    query = "SELECT id FROM encoders WHERE name = ? AND fingerprint = ?"
    (row,) = catalogue.execute(query, (name, fingerprint)).fetchone()
    return int(row)


def check_encoder(catalogue: Catalogue, name: str, fingerprint: str) -> None:
    """Raise an EncoderMismatchError if codes under a name come from another encoder."""
    known = encoder_rows(catalogue).get(name)
    if known is not None and known.fingerprint != fingerprint:
        raise EncoderMismatchError(
            f"encoder {name!r}: the catalogue's codes were made with {known.fingerprint}, "
            f"not {fingerprint}"
        )


def activate(catalogue: Catalogue, row: int) -> None:
    """Have an encoder's codes answer, inside a transaction; others of its name and codes go."""
    others = "SELECT id FROM encoders WHERE name = (SELECT name FROM encoders WHERE id = ?1)"
    others += " AND id != ?1"
    catalogue.execute(f"DELETE FROM codes WHERE encoder IN ({others})", (row,))
    catalogue.execute(f"DELETE FROM encoders WHERE id IN ({others})", (row,))
    catalogue.execute("UPDATE encoders SET active = 1 WHERE id = ?", (row,))
    catalogue.raise_generation(removed=True)
