"""Verifying a collection: the catalogue against the files, and everything else against it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from .catalogue import EncoderRow, roots_of
from .collection import Collection
from .content import digest
from .encoders import lost_files
from .indexes import codes_of, load_index, make_indexes_anew
from .store import STORE

__all__ = ["Problem", "verify"]

_INDEX = "hashret index looks at it"
_SETTLE = "hashret undo, or hashret dedup --apply, settles it"
_MOVE = "look at it, and move it where it belongs"
_QUARANTINE = b"quarantine"
_REPAIR = "hashret verify --repair writes it anew"


@dataclass(frozen=True)
class Problem:
    """Something that does not agree.

    Attributes
    ----------
    kind : {"catalogue", "file", "code", "index", "quarantine"}
    words : str
        What is wrong.
    advice : str
        What to do.
    path : bytes or None
        Of a file, absolute.
    """

    kind: str
    words: str
    advice: str
    path: bytes | None = None


def verify(
    collection: Collection,
    *,
    content: bool = False,
    repair: bool = False,
    on_file: Callable[[int], object] | None = None,
) -> Iterator[Problem]:
    """Yield all that does not agree in a collection; nothing if it is sound.

    Parameters
    ----------
    collection : Collection
        Open for changing if `repair`.
    content : bool
        Read and hash every file, rather than compare sizes and times.
    repair : bool
        First write anew what can be made from the catalogue: the indexes.
    on_file : callable, optional
        Given how many files were looked at, after each.
    """
    for words in collection.catalogue.check():
        yield Problem("catalogue", words, "restore a copy of the store, or index anew")
    if repair:
        make_indexes_anew(collection.catalogue, collection.encoders.values())
    for row in collection.encoders.values():
        yield from _codes(collection, row)
        yield from _index(collection, row)
    yield from _quarantine(collection)
    yield from _files(collection, content, on_file or (lambda count: None))


def _files(
    collection: Collection, content: bool, on_file: Callable[[int], object]
) -> Iterator[Problem]:
    roots = {root.id: root.path for root in roots_of(collection.catalogue)}
    for path in roots.values():
        if not os.path.isdir(path):
            advice = "mount it; until then its files cannot be looked at"
            yield Problem("file", "the folder cannot be reached", advice, path)
    # Of one whose move was interrupted, that is told.
    rows = collection.catalogue.execute(
        "SELECT root, path, state, size, mtime_ns, content FROM files "
        "WHERE state IN ('present', 'missing') AND NOT EXISTS (SELECT 1 FROM operations "
        "WHERE operations.root = files.root AND operations.path = files.path "
        "AND operations.state IN ('planned', 'undoing')) ORDER BY root, path"
    )
    for count, (root, path, state, size, mtime_ns, known) in enumerate(rows, 1):
        absolute = os.path.join(roots[root], path)
        words = _compared(absolute, state == "present", (size, mtime_ns), known if content else b"")
        if words and os.path.isdir(roots[root]):
            yield Problem("file", words, _INDEX, absolute)
        on_file(count)


def _compared(path: bytes, present: bool, seen: tuple[int, int], content: bytes) -> str | None:
    """Return how a file is not what the catalogue says, None if it is."""
    try:
        status = os.stat(path)
    except OSError as error:
        return f"cannot be found: {error.strerror}" if present else None
    if not present:
        return "is there, but noted as missing"
    if (status.st_size, status.st_mtime_ns) != seen:
        return "has changed since it was indexed"
    if content:
        try:
            found, _ = digest(path)
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        if found != content:
            return "holds other bytes than when it was indexed, with the same size and time"
    return None


def _codes(collection: Collection, row: EncoderRow) -> Iterator[Problem]:
    lacking, wrong = (
        collection.catalogue.execute(query, values).fetchone()[0]
        for query, values in (
            (
                "SELECT count(*) FROM images WHERE EXISTS (SELECT 1 FROM files "
                "WHERE files.content = images.content AND state = 'present') AND NOT EXISTS "
                "(SELECT 1 FROM codes WHERE encoder = ? AND image = images.id)",
                (row.id,),
            ),
            (
                "SELECT count(*) FROM codes WHERE encoder = ? AND length(code) != ?",
                (row.id, -(-row.bits // 8)),
            ),
        )
    )
    # Of other images none can be made: that some have none is as it should be.
    imported = row.settings.get("kind") == "imported"
    anew = f"hashret index --re-encode --encoder {row.name} makes them anew"
    if imported:
        anew = "import them again"
    elif lacking:
        words = f"{lacking} images have no code of encoder {row.name!r}"
        yield Problem("code", words, "hashret index makes them")
    if wrong:
        words = f"{wrong} codes of encoder {row.name!r} have not {row.bits} bits"
        yield Problem("code", words, anew)
    for path in lost_files(collection.store, row):
        words = f"a file of encoder {row.name!r} is missing"
        yield Problem("code", words, anew, os.fsencode(path))


def _index(collection: Collection, row: EncoderRow) -> Iterator[Problem]:
    try:
        ids, codes = codes_of(collection.catalogue, row)
    except ValueError:
        return  # Codes of other lengths were told of before.
    index = load_index(collection.catalogue, row)
    words = None
    if not np.array_equal(np.sort(index.ids), ids):
        words = f"has other images than the catalogue: {len(index)} for {len(ids)}"
    elif len(ids) and (differ := int((index.get(ids) != codes).any(axis=1).sum())):
        words = f"has other codes than the catalogue: {differ} of {len(ids)}"
    if words:
        yield Problem("index", f"the index of encoder {row.name!r} {words}", _REPAIR)


def _quarantine(collection: Collection) -> Iterator[Problem]:
    """Compare the files in the quarantines with the journal of what was moved there."""
    store = os.fsencode(os.path.abspath(collection.store))
    roots = {root.id: root.path for root in roots_of(collection.catalogue)}
    known = set()
    operations = collection.catalogue.execute("SELECT * FROM operations WHERE state != 'undone'")
    names = [column[0] for column in operations.description]
    for row in operations:
        one = dict(zip(names, row, strict=True))
        # Where it was moved to is told from a root, or from the store.
        above = roots.get(one.get("target_root") or 0, store)
        path = os.path.normpath(os.path.join(above, one["target"]))
        known.add(path)
        if one["state"] != "done":
            yield Problem("quarantine", "a move was interrupted", _SETTLE, path)
        elif one["kind"] == "quarantine" and (words := _moved(path, one["content"])):
            yield Problem("quarantine", words, "hashret undo cannot bring this one back", path)
    folders = {store, *(os.path.join(root, os.fsencode(STORE)) for root in roots.values())}
    for folder in sorted(os.path.join(each, _QUARANTINE) for each in folders):
        for path in _files_below(folder):
            if path not in known:
                yield Problem("quarantine", "the journal does not know it", _MOVE, path)


def _moved(path: bytes, content: bytes | None) -> str | None:
    if content is None:
        return None if os.path.lexists(path) else "is not where it was moved to"
    with suppress(OSError):
        return None if digest(path)[0] == content else "holds other bytes than when it was moved"
    return "cannot be read where it was moved to"


def _files_below(folder: bytes) -> Iterator[bytes]:
    for above, _, names in os.walk(folder):
        yield from (os.path.normpath(os.path.join(above, name)) for name in names)
