"""What of a file was not taken, on standard error."""

from __future__ import annotations

from .output import note, shown

__all__ = ["tell_refused"]

_LISTED = 10


def tell_refused(refused: list[tuple[str, str]], most: int = _LISTED) -> None:
    """Tell paths and reasons, some of them, and how many there are."""
    for path, reason in refused[:most]:
        note(f"{shown(path)}: {shown(reason)}")
    if len(refused) > most:
        note(f"and {len(refused) - most:,} more")
