"""What of a file was not taken, on standard error."""

from __future__ import annotations

import typer

from .output import shown

__all__ = ["tell_refused"]

_LISTED = 10


def tell_refused(refused: list[tuple[str, str]], most: int = _LISTED) -> None:
    """Tell paths and reasons, some of them, and how many there are."""
    for path, reason in refused[:most]:
        typer.echo(f"hashret: {shown(path)}: {shown(reason)}", err=True)
    if len(refused) > most:
        typer.echo(f"hashret: and {len(refused) - most:,} more", err=True)
