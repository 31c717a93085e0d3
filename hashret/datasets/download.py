"""Download of files with known checksums into the user's cache."""

from __future__ import annotations

import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..errors import DatasetNotFoundError, FormatError
from ..files import replacing
from .base import Progress

_CHUNK = 2**16
_TIMEOUT_SECONDS = 30
_NETWORK = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)


@dataclass(frozen=True)
class RemoteFile:
    """A file with its size in bytes and its SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


def cache_folder() -> Path:
    """Return the user's cache folder for hashret, by the custom of the operating system."""
    if sys.platform == "win32":
        root = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        root = "~/Library/Caches"
    else:
        root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "hashret"


def fetch(
    files: Sequence[RemoteFile], mirrors: Iterable[str], folder: Path, progress: Progress | None
) -> None:
    """Download `files` into `folder`, each from the first mirror that has it right.

    A file appears under its name only when complete and checked; files already there are kept.

    Raises
    ------
    DatasetNotFoundError
        If no mirror gave a file; the message has each mirror's failure.
    """
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(file.size for file in files)
    done = 0

    def report(bytes_of_this_file: int) -> None:
        if progress is not None:
            progress(done + bytes_of_this_file, total)

    for file in files:
        if not (folder / file.name).is_file():
            _fetch_one(file, mirrors, folder, report)
        done += file.size
        report(0)


def _fetch_one(
    file: RemoteFile, mirrors: Iterable[str], folder: Path, report: Callable[[int], None]
) -> None:
    failures = []
    for mirror in mirrors:
        try:
            _fetch_from(mirror + file.name, file, folder, report)
        except (*_NETWORK, FormatError) as error:
            failures.append(f"{mirror + file.name}: {error}")
        else:
            return
    raise DatasetNotFoundError(f"{file.name}: download failed: {'; '.join(failures)}")


def _fetch_from(url: str, file: RemoteFile, folder: Path, report: Callable[[int], None]) -> None:
    with (
        replacing(folder / file.name) as out,
        urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as source,
    ):
        _copy_checked(source, out, file, report)


def _copy_checked(
    source: IO[bytes], out: IO[bytes], file: RemoteFile, report: Callable[[int], None]
) -> None:
    digest = hashlib.sha256()
    done = 0
    # One byte past the size is enough to know that the answer is too long.
    while chunk := source.read(min(_CHUNK, file.size + 1 - done)):
        done += len(chunk)
        digest.update(chunk)
        out.write(chunk)
        report(min(done, file.size))
    if done != file.size or digest.hexdigest() != file.sha256:
        raise FormatError(
            f"expected {file.size} bytes with SHA-256 {file.sha256}, "
            f"got {'more' if done > file.size else done} with {digest.hexdigest()}"
        )
