"""Named lists of hashes in the catalogue."""

from __future__ import annotations

import numpy as np

from ...errors import ParameterError
from ..catalogue import Catalogue
from .hash_lists import HashList

__all__ = ["list_names", "load_list", "remove_list", "save_list"]


def save_list(catalogue: Catalogue, name: str, hashes: HashList) -> None:
    """Keep a list under a name; one that had it is replaced.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    name : str
        Up to 100 printable characters.
    hashes : HashList
    """
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise ParameterError(f"name: expected 1 to 100 printable characters, got {name[:120]!r}")
    with catalogue.transaction():
        _delete(catalogue, name)
        ((row,),) = catalogue.execute(
            "INSERT INTO lists (name, bits) VALUES (?, ?) RETURNING id", (name, hashes.bits)
        ).fetchall()
        catalogue.executemany(
            "INSERT INTO listed (list, line, code, quality, name) VALUES (?, ?, ?, ?, ?)",
            (
                (row, line, code.tobytes(), None if np.isnan(score) else float(score), text)
                for line, code, score, text in zip(
                    hashes.lines, hashes.codes, hashes.quality, hashes.names, strict=True
                )
            ),
        )


def load_list(catalogue: Catalogue, name: str) -> HashList:
    """Return the list of a name.

    Raises
    ------
    ParameterError
        If there is none.
    """
    row, bits = _find(catalogue, name)
    rows = catalogue.execute(
        "SELECT code, quality, name, line FROM listed WHERE list = ? ORDER BY line", (row,)
    ).fetchall()
    codes = np.frombuffer(b"".join(one[0] for one in rows), np.uint8).reshape(len(rows), -1)
    quality = np.array([np.nan if one[1] is None else one[1] for one in rows], np.float64)
    return HashList(bits, codes, quality, [one[2] for one in rows], [one[3] for one in rows])


def list_names(catalogue: Catalogue) -> dict[str, int]:
    """Return how many hashes there are in each list, by name."""
    query = """SELECT lists.name, (SELECT count(*) FROM listed WHERE list = lists.id)
        FROM lists ORDER BY lists.name"""
    return dict(catalogue.execute(query).fetchall())


def remove_list(catalogue: Catalogue, name: str) -> None:
    """Forget a list."""
    _find(catalogue, name)
    with catalogue.transaction():
        _delete(catalogue, name)


def _delete(catalogue: Catalogue, name: str) -> None:
    own = "(SELECT id FROM lists WHERE name = ?)"
    catalogue.execute(f"DELETE FROM listed WHERE list = {own}", (name,))
    catalogue.execute("DELETE FROM lists WHERE name = ?", (name,))


def _find(catalogue: Catalogue, name: str) -> tuple[int, int]:
    found = catalogue.execute("SELECT id, bits FROM lists WHERE name = ?", (name,)).fetchone()
    if found is None:
        known = ", ".join(list_names(catalogue)) or "none yet"
        raise ParameterError(f"list: no file and no list of the name {name!r}; lists: {known}")
    return found[0], found[1]
