"""``hashret index --ray``: folders become a sharded index, by a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from ..errors import ParameterError
from .app import Exit
from .output import json_path, many, print_json, print_line, relative, shown
from .progress import Progress

if TYPE_CHECKING:
    from ..cluster.encoding import Encoded

__all__ = ["Shows", "index_shards"]

# Of each list, without --verbose.
_LISTED = 10


class Shows(NamedTuple):
    """How much is printed, and how."""

    json: bool
    verbose: bool
    quiet: bool
    skips_ok: bool


def index_shards(
    roots: Sequence[Path],
    address: str | None,
    location: str | None,
    *,
    refused: Sequence[str],
    encoders: Sequence[str],
    options: dict[str, Any],
    shows: Shows,
) -> None:
    """Encode folders by a cluster, and tell what was done.

    Parameters
    ----------
    refused : sequence of str
        Options that were given and mean nothing here.
    options : dict
        For :func:`hashret.cluster.encoding.encode`.
    """
    if location is None or address is None:
        raise ParameterError("ray, shards: expected both, or neither")
    if refused:
        raise ParameterError(f"{refused[0]}: a collection's option; a sharded index has none")
    if len(encoders) > 1:
        raise ParameterError(f"encoder: expected one, got {len(encoders)}")
    from ..cluster.encoding import encode
    from ..cluster.replicas import connect

    given = options | ({"encoder": encoders[0]} if encoders else {})
    connect(address)
    with Progress(not shows.quiet) as progress:
        report = encode(
            location,
            roots,
            ray=True,
            on_unit=lambda done, total: progress.step("Encoding shards", done, total),
            **given,
        )
    if shows.json:
        _tell_json(report)
    elif not shows.quiet:
        _tell(report, location, None if shows.verbose else _LISTED)
    if (report.failures or report.unreachable) and not shows.skips_ok:
        raise typer.Exit(Exit.SKIPPED)


def _tell_json(report: Encoded) -> None:
    print_json(
        {
            "files": report.files,
            "encoded": report.codes,
            "shards": report.shards,
            "kept": report.kept,
            "skipped": [
                {"id": id, **json_path(path), "reason": reason}
                for id, path, reason in report.failures
            ],
            "unreachable": [
                {**json_path(path), "reason": reason} for path, reason in report.unreachable
            ],
        }
    )


def _tell(report: Encoded, location: str, most: int | None) -> None:
    kept = f", {many(report.kept, 'shard')} kept" if report.kept else ""
    print_line(
        f"{shown(location)}: {many(report.codes, 'new code')} of {many(report.files, 'new file')} "
        f"in {many(report.shards, 'shard')}{kept}"
    )
    skipped = [(path, reason) for _, path, reason in report.failures]
    for name, files in (("skipped", skipped), ("cannot be reached", report.unreachable)):
        if not files:
            continue
        print_line(f"{name}:")
        for path, reason in files[:most]:
            print_line(f"  {relative(path)}: {shown(reason)}")
        if most is not None and len(files) > most:
            print_line(f"  and {len(files) - most:,} more; -v lists them")
