"""The files that encoders keep in a store."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress

from ...errors import HashretError
from ...files import write_bytes
from ..catalogue import EncoderRow
from ..store import folder_in

__all__ = ["drop_unused", "keep", "kept", "lost_files"]

_FOLDER = "encoders"
_ANEW = "hashret index --re-encode --encoder NAME makes it and its codes anew"
# As `keep` names them, in JSON.
_NAMES = re.compile(r'"([0-9a-f]{64}\.\w+)"')


def keep(store: str, data: bytes, suffix: str) -> str:
    """Write a file of a store, under a name that tells its content, and return that name."""
    name = hashlib.sha256(data).hexdigest() + suffix
    path = os.path.join(folder_in(store, _FOLDER), name)
    if not _holds(path, data):
        write_bytes(path, data)
    return name


def kept(store: str, name: str) -> str:
    """Return the path of a file that an encoder needs.

    Raises
    ------
    HashretError
        If it is not there.
    """
    path = os.path.join(store, _FOLDER, name)
    if not os.path.isfile(path):
        raise HashretError(f"{path}: a file of an encoder is missing; {_ANEW}")
    return path


def lost_files(store: str, row: EncoderRow) -> list[str]:
    """Return the paths of the files that an encoder needs and that are not there."""
    names = _NAMES.findall(json.dumps(row.settings))
    paths = (os.path.join(store, _FOLDER, name) for name in names)
    return [path for path in paths if not os.path.isfile(path)]


def drop_unused(store: str, rows: Iterable[EncoderRow]) -> None:
    """Remove the files of encoders that are in no row any more; others stay."""
    used = json.dumps([row.settings for row in rows])
    folder = os.path.join(store, _FOLDER)
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        stem = name.partition(".")[0]
        if len(stem) == 64 and stem.isalnum() and stem not in used:
            with suppress(OSError):
                os.remove(os.path.join(folder, name))


def _holds(path: str, data: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read() == data
    except FileNotFoundError:
        return False
