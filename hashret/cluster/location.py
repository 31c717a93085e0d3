"""Where the files of a sharded index lie: a folder, or whatever fsspec opens."""

from __future__ import annotations

import os
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from ..errors import ConflictError, FormatError
from ..extras import import_extra
from ..files import as_path, write_bytes
from .manifest import Blob, Manifest, digest_of

__all__ = ["Location", "open_location"]

_MANIFESTS, _BLOBS = "manifests", "files"
_GENERATION = re.compile(r"([0-9]{12})\.json")


def open_location(given: str | os.PathLike[str]) -> Location:
    """Return a location by its path, or by its address: ``s3://bucket/photos``, say.

    Raises
    ------
    MissingExtraError
        Of an address, if fsspec is not installed, or the package that it needs for it.
    """
    name = as_path(given)
    return _Remote(name) if "://" in name else _Folder(name)


class Location(ABC):
    """Files that are named by their content, and numbered manifests that name them.

    Attributes
    ----------
    name : str
        What opens it again.
    """

    name: str

    @abstractmethod
    def read(self, path: str) -> BinaryIO:
        """Open a file to read; FileNotFoundError if there is none."""

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Write a file, whole or not at all."""

    @abstractmethod
    def create(self, path: str, data: bytes) -> None:
        """Write a file that must not be there: FileExistsError if it is."""

    @abstractmethod
    def sizes(self, folder: str) -> dict[str, int]:
        """Return the names and sizes of the files of a folder; of one that is not there, none."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove a file."""

    # -- content -----------------------------------------------------------------

    def put(self, data: bytes, suffix: str) -> Blob:
        """Write a file under the name of its content, if there is none, or a damaged one."""
        blob = Blob.of(data, suffix)
        if not self.is_whole(blob):
            self.write(f"{_BLOBS}/{blob.name}", data)
        return blob

    def is_whole(self, blob: Blob) -> bool:
        """Whether a file is there, and is what its name says: one of its size is read through."""
        if self.sizes_of([blob]) != [blob.size]:
            return False
        try:
            with self.open(blob) as file:
                return digest_of(file) == blob.digest
        except FileNotFoundError:
            return False

    def open(self, blob: Blob) -> BinaryIO:
        """Open a file to read that was :meth:`put` here."""
        return self.read(f"{_BLOBS}/{blob.name}")

    def sizes_of(self, blobs: list[Blob]) -> list[int | None]:
        """Return how many bytes there are of files, None of one that is not there."""
        sizes = self.sizes(_BLOBS)
        return [sizes.get(blob.name) for blob in blobs]

    def drop_unused(self, used: set[str]) -> int:
        """Remove files that are not among the names; return their bytes."""
        unused = {n: size for n, size in self.sizes(_BLOBS).items() if n not in used}
        for name in unused:
            self.remove(f"{_BLOBS}/{name}")
        return sum(unused.values())

    # -- manifests ----------------------------------------------------------------

    def generations(self) -> list[int]:
        """Return the generations that there are, ascending."""
        found = (_GENERATION.fullmatch(name) for name in self.sizes(_MANIFESTS))
        return sorted(int(match[1]) for match in found if match)

    def manifest(self, generation: int | None = None) -> Manifest:
        """Return a manifest, the latest by default.

        Raises
        ------
        FileNotFoundError
            If there is none.
        FormatError
            If it is damaged.
        """
        if generation is None:
            generation = max(self.generations(), default=None)
            if generation is None:
                raise FileNotFoundError(f"{self.name}: no sharded index is here")
        path = _path_of(generation)
        with self.read(path) as file:
            manifest = Manifest.loads(file.read(), f"{self.name}/{path}")
        if manifest.generation != generation:
            raise FormatError(f"{self.name}/{path}: says generation {manifest.generation}")
        return manifest

    def commit(self, manifest: Manifest) -> None:
        """Write a manifest: the state of the index from now on.

        One name is made, which nobody else can have made: a reader sees the state before or after.

        Raises
        ------
        ConflictError
            If another writer has made this generation, or a later one.
        """
        # An old manifest may have been removed, and its name be free again.
        if any(each >= manifest.generation for each in self.generations()):
            raise self._conflict(manifest)
        try:
            # Others go on from it at once: what is made here is not taken back.
            self.create(_path_of(manifest.generation), manifest.dumps())
        except FileExistsError:
            raise self._conflict(manifest) from None

    def _conflict(self, manifest: Manifest) -> ConflictError:
        latest = self.generations()[-1]
        return ConflictError(
            f"{self.name}: another writer has changed it: this change was to make generation "
            f"{manifest.generation}, and there is {latest}; refresh, and make the change again"
        )


def _path_of(generation: int) -> str:
    return f"{_MANIFESTS}/{generation:012d}.json"


class _Folder(Location):
    """A folder, which several machines may share."""

    def __init__(self, path: str) -> None:
        self.name = os.path.abspath(path)

    def read(self, path: str) -> BinaryIO:
        return open(self._path(path), "rb")

    def write(self, path: str, data: bytes) -> None:
        os.makedirs(os.path.dirname(self._path(path)), exist_ok=True)
        write_bytes(self._path(path), data)

    def create(self, path: str, data: bytes) -> None:
        # A link fails where there is a file, over NFS too, and what it leads to is on the disk.
        temporary = f"{path}.{secrets.token_hex(8)}"
        self.write(temporary, data)
        try:
            self._link(self._path(temporary), self._path(path))
        finally:
            os.unlink(self._path(temporary))

    @staticmethod
    def _link(old: str, new: str) -> None:
        try:
            os.link(old, new)
        except FileExistsError:
            # NFS repeats what had no answer in time, and may find what it made itself.
            if os.stat(old).st_nlink < 2:
                raise

    def sizes(self, folder: str) -> dict[str, int]:
        return dict(self._listed(folder))

    def _listed(self, folder: str) -> Iterator[tuple[str, int]]:
        with suppress(FileNotFoundError), os.scandir(self._path(folder)) as entries:
            for entry in entries:
                # Gone since, if another process has removed it.
                with suppress(FileNotFoundError):
                    yield entry.name, entry.stat().st_size

    def remove(self, path: str) -> None:
        os.unlink(self._path(path))

    def sizes_of(self, blobs: list[Blob]) -> list[int | None]:
        found: list[int | None] = []
        for blob in blobs:
            try:
                found.append(os.stat(self._path(f"{_BLOBS}/{blob.name}")).st_size)
            except FileNotFoundError:
                found.append(None)
        return found

    def _path(self, path: str) -> str:
        return os.path.join(self.name, *path.split("/"))


class _Remote(Location):
    """What fsspec opens. Two writers are told apart where its `create` mode is exclusive."""

    def __init__(self, address: str) -> None:
        fsspec: Any = import_extra("fsspec", "ray")
        self.name = address
        self._files, self._root = fsspec.core.url_to_fs(address)

    def read(self, path: str) -> BinaryIO:
        file: BinaryIO = self._files.open(self._path(path), "rb")
        return file

    def write(self, path: str, data: bytes) -> None:
        self._files.makedirs(self._path(os.path.dirname(path)), exist_ok=True)
        self._files.pipe_file(self._path(path), data)

    def create(self, path: str, data: bytes) -> None:
        self._files.makedirs(self._path(os.path.dirname(path)), exist_ok=True)
        self._files.pipe_file(self._path(path), data, mode="create")

    def sizes(self, folder: str) -> dict[str, int]:
        # What was listed before does not count: another may have written.
        self._files.invalidate_cache()
        try:
            listed = self._files.ls(self._path(folder), detail=True)
        except FileNotFoundError:
            return {}
        return {one["name"].rsplit("/", 1)[-1]: int(one["size"] or 0) for one in listed}

    def remove(self, path: str) -> None:
        self._files.rm_file(self._path(path))

    def _path(self, path: str) -> str:
        return f"{self._root.rstrip('/')}/{path}"
