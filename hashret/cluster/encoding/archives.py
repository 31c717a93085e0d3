"""Pictures in a tar file (a shard of a WebDataset) or a Parquet: their keys, and their bytes.

Keys are names in a tar, and the column ``key`` of a Parquet, whose column ``bytes`` has the files.
Nothing is unpacked under a name of theirs.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from ...errors import HashretError
from ...extras import import_extra
from ...images.formats import picture_suffixes

__all__ = ["ArchiveError", "Member", "archive_of", "is_archive", "keys_of", "members"]

# Rows of a Parquet that are in memory at a time.
_ROWS = 16
_BLOCK = 512


class ArchiveError(HashretError):
    """An archive is damaged: what came before may be good."""


@dataclass(frozen=True)
class Member:
    """A picture in an archive.

    Attributes
    ----------
    key : bytes
    size : int
        Bytes that it says it has.
    open : callable
        Returns what has the bytes; :class:`ArchiveError` or another if they are not there.
    refusal : str
        Why it is not taken, if it is not.
    """

    key: bytes
    size: int
    open: Callable[[], BinaryIO]
    refusal: str = ""


def is_archive(path: bytes) -> bool:
    """Whether a file is one, by its name."""
    return os.path.splitext(path)[1].lower() in _READERS


def archive_of(path: bytes, archives: Collection[bytes]) -> bytes | None:
    """Return the archive that a path leads into, None if it leads into none.

    Examples
    --------
    >>> archive_of(b"/a/b.tar/c/d.jpg", {b"/a/b.tar"}), archive_of(b"/a/b.jpg", {b"/a/b.tar"})
    (b'/a/b.tar', None)
    """
    at = len(path)
    while (at := path.rfind(b"/", 0, at)) > 0:
        if path[:at] in archives:
            return path[:at]
    return None


def keys_of(archive: bytes) -> tuple[set[bytes], list[tuple[bytes, str]]]:
    """Return the keys of the pictures of an archive, and what is wrong with it.

    Returns
    -------
    keys : set of bytes
        Each is there once.
    told : list of (path, reason)
        Of members that are refused, of keys that are there more than once, and of the archive.
    """
    seen: Counter[bytes] = Counter()
    refused: dict[bytes, str] = {}
    told = []
    try:
        for member in members(archive):
            seen[member.key] += 1
            if member.refusal:
                refused[member.key] = member.refusal
    except ArchiveError as error:
        told.append((archive, str(error)))
    for key, count in seen.items():
        if count > 1:
            refused[key] = f"is there {count} times: which is meant cannot be told"
    told += [(archive + b"/" + key, reason) for key, reason in refused.items()]
    return seen.keys() - refused.keys(), told


def members(archive: bytes, wanted: Collection[bytes] | None = None) -> Iterator[Member]:
    """Yield the pictures of an archive, in its order.

    Parameters
    ----------
    archive : bytes
        Its path.
    wanted : collection of bytes, optional
        Keys whose bytes will be read; others need not be yielded. By default no bytes are.

    Raises
    ------
    ArchiveError
        If it is damaged, after what comes before.
    """
    try:
        yield from _READERS[os.path.splitext(archive)[1].lower()](archive, wanted)
    except ArchiveError:
        raise
    # Whatever the readers of these formats make of damage.
    except (
        OSError,
        ValueError,
        tarfile.TarError,
        OverflowError,
        EOFError,
        RecursionError,
    ) as error:
        raise ArchiveError(f"cannot be read: {error}") from None


def _tar_members(path: bytes, wanted: Collection[bytes] | None) -> Iterator[Member]:
    suffixes = picture_suffixes()
    size = os.stat(path).st_size
    with tarfile.open(os.fsdecode(path), "r:") as tar:
        last = -1
        while (info := tar.next()) is not None:
            # One that leads back would never end.
            if info.size < 0 or tar.offset <= last:
                raise ArchiveError(f"is damaged after byte {max(last, 0)}")
            last = tar.offset
            key = os.fsencode(info.name).removeprefix(b"./")
            if info.isdir() or os.path.splitext(info.name)[1].lower() not in suffixes:
                continue
            if info.isreg() and info.offset_data + info.size > size:
                raise ArchiveError(f"is truncated: it ends within {os.fsdecode(key)}")
            refusal = _refusal(key)
            if not info.isreg() or info.issparse():
                refusal = refusal or "is a link or a device, no file"
            yield Member(key, info.size, partial(_opened, tar, info), refusal)
        _check_end(path, tar.offset)


def _opened(tar: tarfile.TarFile, info: tarfile.TarInfo) -> BinaryIO:
    file: Any = tar.extractfile(info)
    return file  # type: ignore[no-any-return]


def _check_end(path: bytes, offset: int) -> None:
    """Raise if a tar ends otherwise than by its mark: tarfile takes damage for the end."""
    with open(path, "rb") as file:
        file.seek(offset)
        if file.read(_BLOCK) != bytes(_BLOCK):
            raise ArchiveError(f"is truncated or damaged after byte {offset}")


def _parquet_members(path: bytes, wanted: Collection[bytes] | None) -> Iterator[Member]:
    parquet: Any = import_extra("pyarrow.parquet", "ray")
    with parquet.ParquetFile(os.fsdecode(path)) as file:
        _check_columns(file.schema_arrow)
        for group in range(file.num_row_groups):
            keys = _keys(file.read_row_group(group, columns=["key"])["key"])
            if wanted is None:
                for key in keys:
                    yield Member(key, 0, io.BytesIO, _refusal(key))
            elif not set(wanted).isdisjoint(keys):
                yield from _rows(file, group)


def _rows(file: Any, group: int) -> Iterator[Member]:
    for batch in file.iter_batches(_ROWS, row_groups=[group], columns=["key", "bytes"]):
        for key, value in zip(_keys(batch["key"]), batch["bytes"], strict=True):
            data = value.as_py()
            refusal = _refusal(key) or ("" if data is not None else "has no bytes")
            yield Member(key, len(data or b""), partial(io.BytesIO, data), refusal)


def _check_columns(schema: Any) -> None:
    arrow: Any = import_extra("pyarrow", "ray")
    texts = (arrow.string(), arrow.large_string(), arrow.binary(), arrow.large_binary())
    for name, kinds in (("key", texts), ("bytes", texts[2:])):
        found = [field.type for field in schema if field.name == name]
        if len(found) != 1 or found[0] not in kinds:
            columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
            raise ArchiveError(
                f"expected columns key (text or binary) and bytes (binary), got {columns}"
            )


def _keys(column: Any) -> list[bytes]:
    values = column.to_pylist()
    return [one.encode() if isinstance(one, str) else one or b"" for one in values]


def _refusal(key: bytes) -> str:
    """Return why a key is none, if so: it is to be the end of a path."""
    if not key or b"\0" in key:
        return "has no name" if not key else "has a name with a NUL"
    if key.startswith(b"/") or b".." in key.split(b"/"):
        return "has a name that leads out of its archive"
    return ""


_READERS: dict[bytes, Callable[[bytes, Collection[bytes] | None], Iterator[Member]]] = {
    b".tar": _tar_members,
    b".parquet": _parquet_members,
}
