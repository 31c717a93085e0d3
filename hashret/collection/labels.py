"""Labels: what people say of images, as texts under keys.

They belong to the content: to every copy of an image, under whatever name, and they stay if it is
forgotten and comes back.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ..errors import FormatError, HashretError, IdError, ParameterError
from .catalogue import Catalogue, roots_of
from .images import images_of

__all__ = [
    "Key",
    "folder_labels",
    "keys_of",
    "labels_of",
    "read_labels",
    "remove_labels",
    "set_labels",
    "values_of",
]

MOST_KEY = 100
MOST_VALUE = 10_000


class Key(NamedTuple):
    """A key, of how many images it says something, and how many different values it has."""

    key: str
    images: int
    values: int


def set_labels(catalogue: Catalogue, key: str, labels: Mapping[int, str]) -> int:
    """Say something of images, all of it or nothing.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    key : str
        Up to 100 printable characters, no ``=`` among them.
    labels : mapping of int to str
        Values of up to 10,000 characters, by the ids of images; they replace what was there.

    Returns
    -------
    changed : int
        Of how many images it is new.

    Raises
    ------
    IdError
        If there is no such image.
    ParameterError
        If the key or a value is unfit.
    """
    _check_key(key)
    for value in labels.values():
        _check_value(value)
    contents = _contents(catalogue, labels)
    with catalogue.transaction():
        return catalogue.executemany(
            "INSERT INTO metadata (content, key, value) VALUES (?, ?, ?) "
            "ON CONFLICT (content, key) DO UPDATE SET value = excluded.value "
            "WHERE value != excluded.value",
            [(contents[image], key, value) for image, value in labels.items()],
        ).rowcount


def remove_labels(catalogue: Catalogue, key: str, ids: Iterable[int] | None = None) -> int:
    """Take back what a key says of images, of all by default; return of how many it did.

    Raises
    ------
    IdError
        If there is no such image.
    ParameterError
        If nothing has such a key.
    """
    if not catalogue.execute(
        "SELECT EXISTS (SELECT 1 FROM metadata WHERE key = ?)", (key,)
    ).fetchone()[0]:
        raise _unknown(catalogue, key)
    if ids is None:
        return catalogue.execute("DELETE FROM metadata WHERE key = ?", (key,)).rowcount
    contents = _contents(catalogue, ids)
    with catalogue.transaction():
        return catalogue.executemany(
            "DELETE FROM metadata WHERE key = ? AND content = ?",
            [(key, content) for content in contents.values()],
        ).rowcount


def keys_of(catalogue: Catalogue) -> list[Key]:
    """Return the keys that say something of images of the collection, sorted."""
    rows = catalogue.execute(
        "SELECT key, count(*), count(DISTINCT value) FROM metadata JOIN images USING (content) "
        "GROUP BY key ORDER BY key"
    )
    return [Key._make(row) for row in rows]


def labels_of(catalogue: Catalogue, key: str) -> dict[int, str]:
    """Return what a key says of images, by their ids in ascending order.

    Raises
    ------
    ParameterError
        If it says nothing of any.
    """
    found = dict(
        catalogue.execute(
            "SELECT images.id, value FROM metadata JOIN images USING (content) "
            "WHERE key = ? ORDER BY images.id",
            (key,),
        ).fetchall()
    )
    if not found:
        raise _unknown(catalogue, key)
    return found


def values_of(catalogue: Catalogue, ids: Iterable[int]) -> dict[int, dict[str, str]]:
    """Return all that is said of images, by key; those of which nothing is are left out."""
    found: dict[int, dict[str, str]] = {}
    for image in ids:
        rows = catalogue.execute(
            "SELECT key, value FROM metadata JOIN images USING (content) "
            "WHERE images.id = ? ORDER BY key",
            (int(image),),
        ).fetchall()
        if rows:
            found[int(image)] = dict(rows)
    return found


def folder_labels(catalogue: Catalogue) -> Iterator[tuple[bytes, str]]:
    """Yield the path of each file that lies in a subfolder of its root, and that folder's name.

    The folder is the first below the root, as a folder per class has it. A name that is not UTF-8
    has ``\\xff`` and the like in it.
    """
    roots = {root.id: root.path for root in roots_of(catalogue)}
    for image in images_of(catalogue):
        for file in image.files:
            first, _, inside = os.path.relpath(file.path, roots[file.root]).partition(b"/")
            if inside:
                yield file.path, first.decode(errors="backslashreplace")


def read_labels(path: str | os.PathLike[str]) -> Iterator[tuple[str, str]]:
    """Yield paths and labels of a CSV file, whose first line may be ``path,label``.

    Raises
    ------
    FormatError
        If it is no CSV, or a line has not two cells; names the line.
    """
    name = os.fspath(path)
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            for row in rows:
                if not row or (
                    rows.line_num == 1 and [c.strip().lower() for c in row] == ["path", "label"]
                ):
                    continue
                if len(row) != 2 or not all(row) or "\0" in row[0]:
                    raise FormatError(
                        f"{name}: line {rows.line_num}: expected path,label, got {len(row)} cells"
                    )
                yield row[0], row[1]
        except csv.Error as error:
            raise FormatError(f"{name}: after line {rows.line_num}: no CSV: {error}") from error


def _contents(catalogue: Catalogue, ids: Iterable[int]) -> dict[int, bytes]:
    contents = {}
    for image in ids:
        query = "SELECT content FROM images WHERE id = ?"
        known = -(2**63) <= image < 2**63
        row = catalogue.execute(query, (int(image),)).fetchone() if known else None
        if row is None:
            raise IdError(f"ids: no image {image} in the collection")
        contents[image] = row[0]
    return contents


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= MOST_KEY or not key.isprintable() or "=" in key or key != key.strip():
        raise ParameterError(
            f"key: expected 1 to {MOST_KEY} printable characters without '=', got {key[:120]!r}"
        )


def _check_value(value: str) -> None:
    if not 1 <= len(value) <= MOST_VALUE:
        raise ParameterError(f"value: expected 1 to {MOST_VALUE} characters, got {len(value)}")
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ParameterError(f"value: expected text, got {value[:120]!r}")


def _unknown(catalogue: Catalogue, key: str) -> HashretError:
    known = ", ".join(one.key for one in keys_of(catalogue)) or "none yet"
    return ParameterError(f"key: no image has {key!r}; keys of the collection: {known}")
