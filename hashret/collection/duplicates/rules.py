"""What stays of duplicates, what is never touched, and what is compared at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from ...checks import check_int
from ...errors import ParameterError
from ..catalogue import Catalogue, roots_of

__all__ = ["PLAIN", "RADIUS", "Rules", "Span", "spans_of"]

# Bits of 256: see docs/duplicates.md for how it was chosen, what it finds and what it confuses.
RADIUS = 31
# Below this quality a picture is too plain for its code to mean anything.
PLAIN = 0.5
_SCOPES = ("all", "within", "across")
_KEEP = ("largest", "oldest")
_UNDER = "under:"

# Files of a root from a path to before another; of the whole root if both are None.
Span = tuple[int, bytes | None, bytes | None]


@dataclass(frozen=True)
class Rules:
    """What stays of duplicates, what is never touched, and what is compared.

    Parameters
    ----------
    radius : int
        Bits in which codes of near duplicates differ, at most.
    keep : sequence of str
        What is kept before the best quality, the first most: ``"largest"`` in bytes,
        ``"oldest"``, or ``"under:PATH"``.
    keep_roots : sequence of paths
        Folders of which no file goes; what is in them is kept before all else.
    under : sequence of paths
        Compare only files in these folders, with each other and with those in `keep_roots`; all
        files by default.
    scope : {"all", "within", "across"}
        Compare files wherever they are, only those of one root, or only those of different ones.
    transforms : bool
        Find mirrored and turned copies, too.
    plain : float
        Images of less quality, from 0 to 1, are near to nothing.

    Raises
    ------
    ParameterError
    """

    radius: int = RADIUS
    keep: Sequence[str] = ()
    keep_roots: Sequence[str | os.PathLike[str]] = ()
    under: Sequence[str | os.PathLike[str]] = ()
    scope: str = "all"
    transforms: bool = False
    plain: float = PLAIN

    def __post_init__(self) -> None:
        check_int("radius", self.radius, 0)
        if self.scope not in _SCOPES:
            raise ParameterError(f"scope: expected {', '.join(_SCOPES)}, got {self.scope!r}")
        for rule in self.keep:
            if rule not in _KEEP and not (rule.startswith(_UNDER) and rule != _UNDER):
                raise ParameterError(f"keep: expected largest, oldest or under:PATH, got {rule!r}")

    @property
    def kept_folders(self) -> list[str]:
        """The folders of ``under:``."""
        return [rule.removeprefix(_UNDER) for rule in self.keep if rule.startswith(_UNDER)]

    @property
    def compared_folders(self) -> list[str | os.PathLike[str]]:
        """The folders whose files are compared; none means all files."""
        return [*self.under, *self.keep_roots] if self.under else []


def spans_of(
    catalogue: Catalogue, folders: Sequence[str | os.PathLike[str]], name: str
) -> list[Span]:
    """Return which files of a collection are in folders.

    Raises
    ------
    ParameterError
        If a folder has nothing to do with the collection: a mistyped one would protect nothing.
    """
    spans: list[Span] = []
    for folder in folders:
        path = os.path.realpath(os.fsencode(folder))
        found = [span for root in roots_of(catalogue) if (span := _span(root.id, root.path, path))]
        if not found or not os.path.isdir(path):
            raise ParameterError(
                f"{name}: expected a folder in the collection, got {os.fsdecode(path)!r}"
            )
        spans += found
    return spans


def _span(root: int, own: bytes, path: bytes) -> Span | None:
    if own == path or own.startswith(path.rstrip(b"/") + b"/"):
        return root, None, None
    if path.startswith(own.rstrip(b"/") + b"/"):
        inside = os.path.relpath(path, own)
        return root, inside + b"/", inside + b"0"  # "0" follows "/"
    return None
