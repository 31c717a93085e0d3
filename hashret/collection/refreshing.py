"""Bringing a collection up to date: by which encoders, and what else changes with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import EncoderMismatchError
from ..images.reading import Limits, read_files
from .catalogue import (
    Catalogue,
    drop_unreachable,
    encoder_rows,
    files_in_state,
    forget_missing,
)
from .encoders import Unfitted, drop_unused, encoder_of, is_file, name_of, new_encoder
from .indexes import save_index
from .settings import note_update, read_settings
from .updating import Encoder, Paths, Report, update

__all__ = ["refresh"]

_LEAST_SIDE = 64


def refresh(
    catalogue: Catalogue,
    encoders: Sequence[str],
    known: Callable[[str], Encoder],
    *,
    limits: Limits | None = None,
    workers: int | None = None,
    replace: bool = False,
    forget: bool = False,
    forget_offline: bool = False,
    **options: Any,
) -> Report:
    """Update a catalogue and what depends on it; see :meth:`.collection.Collection.update`.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    encoders : sequence of str
        That are asked for.
    known : callable
        From a name of which there are codes to the encoder that made them.
    limits, workers, replace, forget, forget_offline
        As of a collection's update.
    **options
        Of :func:`.updating.update`.
    """
    started = time.monotonic()
    rows = encoder_rows(catalogue)
    names = {name_of(given) for given in encoders}
    chosen = [_chosen(catalogue, given, replace, known) for given in dict.fromkeys(encoders)]
    ready = [
        known(name)
        for name, row in rows.items()
        if name not in names and row.settings["kind"] != "imported"
    ]
    ready += [one for one in chosen if not isinstance(one, Unfitted)]
    unfitted = [one for one in chosen if isinstance(one, Unfitted)]
    # Where one is new, all images are read, of which most have their codes of the others.
    new = [one for one in ready if one.name not in rows]
    wanted = new if new or unfitted else ready
    functions = {one.name: one.code_of for one in wanted if one.code_of is not None}
    sides = [*(one.side for one in ready), *(one.side for one in unfitted)]
    side = max([_LEAST_SIDE, *sides])

    def read(requests: Any) -> Iterator[Any]:
        return read_files(
            requests,
            side=side,
            limits=limits,
            workers=workers,
            shows=bool(unfitted) or len(functions) < len(ready),
            functions=functions,
        )

    settings = read_settings(catalogue)
    options |= {"exclusions": settings.exclusions, "one_file_system": settings.one_file_system}
    report = update(catalogue, read, ready, unfitted=unfitted, replace=replace, **options)
    if forget or forget_offline:
        report.forgotten, _ = forget_missing(catalogue, offline=forget_offline)
        report.missing = Paths()
        for missing in files_in_state(catalogue, "missing"):
            report.missing.add(*missing)
    if forget_offline:
        report.unreachable.drop(drop_unreachable(catalogue))
    for row in encoder_rows(catalogue).values():
        save_index(catalogue, row)
    note_update(catalogue)
    drop_unused(catalogue.store, encoder_rows(catalogue, all=True).values())
    # With what was spent on indexes.
    report.seconds = time.monotonic() - started
    return report


def _chosen(
    catalogue: Catalogue, given: str, replace: bool, known: Callable[[str], Encoder]
) -> Encoder | Unfitted:
    """Return the encoder that was asked for: as it is known, or a new one."""
    name = name_of(given)
    has_codes = name in encoder_rows(catalogue)
    if has_codes and not replace and not is_file(given):
        return known(name)
    new = new_encoder(given, catalogue.store)
    if not isinstance(new, Unfitted):
        return new
    for row in encoder_rows(catalogue, all=True).values():
        # With `replace`, one that was fitted by an update that did not come to its end.
        if new.made(row) and row.active != replace:
            return encoder_of(row, catalogue.store)
    if has_codes and not replace:
        raise EncoderMismatchError(
            f"encoder {name!r}: the collection's codes were made with another, not {given}"
        )
    return new
