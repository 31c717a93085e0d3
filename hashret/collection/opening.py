"""Which collection a command is about: by its store, or by where its user is."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from ..errors import HashretError
from .catalogue import NAME
from .collection import Collection
from .store import STORE, find_store

__all__ = ["open_collection", "open_to_index"]

_READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def open_collection(
    store: str | os.PathLike[str] | None = None, *, change: bool = False
) -> Collection:
    """Open the collection of a store, or the one that the current folder lies in.

    Parameters
    ----------
    store : path, optional
        A store, or the folder that has one.
    change : bool
        Whether to change it, rather than to read it.

    Raises
    ------
    HashretError
        If there is none.
    """
    found = find_store() if store is None else _store_at(store)
    if found is None:
        raise HashretError(f"{store}: no collection there; hashret index makes one")
    return Collection.change(found) if change else Collection.open(found)


def open_to_index(
    roots: Sequence[str | os.PathLike[str]] = (), store: str | os.PathLike[str] | None = None
) -> Collection:
    """Open the collection of some folders for changing it; make it if there is none.

    Parameters
    ----------
    roots : sequence of paths
        The collection that the first of them lies in, unless `store` names another; the current
        folder by default. Those that are no part of it yet are added.
    store : path, optional

    Raises
    ------
    NotADirectoryError
        If one is no folder; but it may be one of the collection that cannot be reached now.
    HashretError
        If nothing can be written there.
    LockedError
        If another process is changing the collection.
    """
    named = [os.fspath(root) for root in roots]
    found = _store_at(store) if store is not None else _store_above(named[0] if named else ".")
    known = []
    if found is not None:
        with Collection.open(found) as collection:
            known = collection.roots
    # One that has no folder was killed while it was made.
    if found is None or not known:
        return _made(named or ["."], found or (None if store is None else os.fspath(store)))
    _check(named, known)
    return Collection.create([root for root in named if not _inside(root, known)], found)


def _check(named: Sequence[str], roots: Sequence[str]) -> None:
    """Refuse what is no folder, unless it may lie on a disk that is not mounted."""
    reached = [root for root in roots if os.path.isdir(root)]
    for path in named:
        if not os.path.isdir(path) and _inside(path, reached):
            raise NotADirectoryError(f"{path}: no folder")


def _made(roots: Sequence[str], store: str | None) -> Collection:
    try:
        return Collection.create(roots, store)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        place = store or os.path.join(roots[0], STORE)
        raise HashretError(
            f"{place}: cannot be written ({error.strerror}); "
            "keep the collection's store elsewhere: --store FOLDER"
        ) from error


def _store_at(path: str | os.PathLike[str]) -> str | None:
    for store in (os.fspath(path), os.path.join(path, STORE)):
        if os.path.exists(os.path.join(store, NAME)):
            return store
    return None


def _store_above(folder: str) -> str | None:
    try:
        return find_store(folder)
    except HashretError:
        return None


def _inside(path: str, roots: Sequence[str]) -> bool:
    """Return whether a folder is one of these or lies in one, reachable or not."""
    real = os.path.join(os.path.realpath(path), "")
    return any(real.startswith(os.path.join(root, "")) for root in roots)
