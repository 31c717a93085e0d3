"""The store: the folder in which a collection keeps what it knows."""

from __future__ import annotations

import os

from ..errors import HashretError
from .catalogue import NAME

__all__ = ["STORE", "find_store", "folder_in"]

STORE = ".hashret"


def find_store(start: str | os.PathLike[str] = ".") -> str:
    """Return the store of the collection that a folder lies in.

    Parameters
    ----------
    start : path
        A store itself, a folder with one, or a folder somewhere inside such a folder.

    Returns
    -------
    store : str

    Raises
    ------
    HashretError
        If there is none.
    """
    folder = os.path.abspath(start)
    if os.path.exists(os.path.join(folder, NAME)):
        return folder
    while True:
        store = os.path.join(folder, STORE)
        if os.path.exists(os.path.join(store, NAME)):
            return store
        above = os.path.dirname(folder)
        if above == folder:
            raise HashretError(
                f"{os.path.abspath(start)}: no collection here, nor in a folder above; "
                "hashret index makes one"
            )
        folder = above


def folder_in(store: str, name: str) -> str:
    """Return a folder of the store, made if it is not there: ``indexes``, ``encoders``."""
    folder = os.path.join(store, name)
    os.makedirs(folder, exist_ok=True)
    return folder
