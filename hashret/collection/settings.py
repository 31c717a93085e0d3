"""What a collection remembers of how it is updated."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from ..errors import ParameterError
from .catalogue import Catalogue

if TYPE_CHECKING:
    from .updating import Exclusions

__all__ = ["Settings", "change_settings", "note_update", "read_settings", "updated_at"]

# Kept with the settings: when the last update ended.
_UPDATED = "updated"


@dataclass(frozen=True)
class Settings:
    """How a collection is updated, from the time when it was first said.

    Attributes
    ----------
    exclude : tuple of str
        Globs as in a ``.gitignore``; see :class:`.updating.Exclusions`.
    hidden : bool
        Whether names that start with a dot belong to it.
    one_file_system : bool
        Whether folders on which another file system is mounted are left out.
    """

    exclude: tuple[str, ...] = ()
    hidden: bool = False
    one_file_system: bool = False

    @property
    def exclusions(self) -> Exclusions:
        """What they exclude."""
        # Not at the top: a search needs them not.
        from .updating import Exclusions

        return Exclusions(self.exclude, hidden=self.hidden)


def read_settings(catalogue: Catalogue) -> Settings:
    """Return the settings of a collection."""
    rows = catalogue.execute("SELECT key, value FROM settings")
    names = {field.name for field in fields(Settings)}
    known = {key: json.loads(value) for key, value in rows if key in names}
    if "exclude" in known:
        known["exclude"] = tuple(known["exclude"])
    return Settings(**known)


def change_settings(catalogue: Catalogue, **changes: Any) -> Settings:
    """Change some settings of a collection for good; those that are None stay.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    **changes
        Attributes of :class:`Settings`.

    Raises
    ------
    ParameterError
        If a glob is none.
    """
    given = {key: value for key, value in changes.items() if value is not None}
    settings = replace(read_settings(catalogue), **given)
    try:
        _ = settings.exclusions
    except ValueError as error:
        raise ParameterError(f"exclude: {error}") from None
    with catalogue.transaction():
        catalogue.executemany(
            "INSERT OR REPLACE INTO settings VALUES (?, ?)",
            [(key, json.dumps(value)) for key, value in asdict(settings).items()],
        )
    return settings


def note_update(catalogue: Catalogue) -> None:
    """Note that an update has ended now."""
    row = (_UPDATED, json.dumps(time.time()))
    catalogue.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", row)


def updated_at(catalogue: Catalogue) -> float | None:
    """Return when the last update ended, in seconds since 1970; None before the first."""
    query = "SELECT value FROM settings WHERE key = ?"
    row = catalogue.execute(query, (_UPDATED,)).fetchone()
    return None if row is None else float(json.loads(row[0]))
