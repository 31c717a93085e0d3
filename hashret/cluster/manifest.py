"""The manifest of a sharded index: which files it is made of, in one state of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO, Self

from ..errors import FormatError

__all__ = ["Blob", "Manifest", "Shard", "digest_of", "short_name"]

_FORMAT = "hashret-shards"
_VERSION = 1
_DIGEST = re.compile("[0-9a-f]{64}")
_MOST_BITS = 4096


@dataclass(frozen=True)
class Blob:
    """A file named by its content.

    Attributes
    ----------
    name : str
        SHA-256 of its bytes, in hexadecimal, and a suffix.
    size : int
        How many bytes there are.
    """

    name: str
    size: int

    @classmethod
    def of(cls, data: bytes, suffix: str) -> Self:
        """Return the name of bytes."""
        return cls(hashlib.sha256(data).hexdigest() + suffix, len(data))

    @property
    def digest(self) -> str:
        """SHA-256 of its bytes, in hexadecimal."""
        return self.name.partition(".")[0]


def digest_of(file: BinaryIO) -> str:
    """Return the SHA-256 of what is left of a file, in hexadecimal."""
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def short_name(name: str) -> str:
    """Return what errors and reports call a shard, by the name of its index file."""
    return name[:12]


@dataclass(frozen=True)
class Shard:
    """A part of the codes, in an index file that never changes.

    Attributes
    ----------
    index : Blob
        The index file.
    count : int
        Codes in it, removed ones included.
    low, high : int
        The least and the greatest id in it.
    table : Blob or None
        Parquet: paths, metadata and failures of what was encoded, see :mod:`.tables`.
    removed : Blob or None
        Ids that were removed since, ascending: int64, little-endian.
    """

    index: Blob
    count: int
    low: int
    high: int
    table: Blob | None = None
    removed: Blob | None = None

    @property
    def name(self) -> str:
        """What errors and reports call it: the beginning of its index file's name."""
        return short_name(self.index.name)

    @property
    def live(self) -> int:
        """Codes that are not removed."""
        return self.count - (self.removed.size // 8 if self.removed else 0)

    @property
    def blobs(self) -> list[Blob]:
        """Its files."""
        return [blob for blob in (self.index, self.table, self.removed) if blob is not None]


@dataclass(frozen=True)
class Manifest:
    """One state of a sharded index; a change writes the next.

    Attributes
    ----------
    bits : int
        Length of a code.
    encoder : str or None
        Fingerprint of the encoder that made the codes.
    generation : int
        Which state this is: each change adds 1.
    next_id : int
        What the next code is called that is added without an id.
    shards : tuple of Shard
    """

    bits: int
    encoder: str | None = None
    generation: int = 0
    next_id: int = 0
    shards: tuple[Shard, ...] = ()

    def __len__(self) -> int:
        """Return how many codes there are that are not removed."""
        return sum(shard.live for shard in self.shards)

    @property
    def blobs(self) -> list[Blob]:
        """All files that it names."""
        return [blob for shard in self.shards for blob in shard.blobs]

    def after(self, *, shards: tuple[Shard, ...], next_id: int | None = None) -> Manifest:
        """Return the state after this one."""
        return replace(
            self,
            generation=self.generation + 1,
            shards=shards,
            next_id=self.next_id if next_id is None else next_id,
        )

    def dumps(self) -> bytes:
        """Return it as JSON, with a checksum of what it says.

        Examples
        --------
        >>> Manifest.loads(Manifest(bits=64).dumps())
        Manifest(bits=64, encoder=None, generation=0, next_id=0, shards=())
        """
        values = {"format": _FORMAT, "version": _VERSION, **asdict(self)}
        return _canonical(values | {"checksum": _checksum(values)}) + b"\n"

    @classmethod
    def loads(cls, data: bytes, name: str = "manifest") -> Manifest:
        """Return the manifest that JSON says.

        Raises
        ------
        FormatError
            If it is none, or is damaged, or of a version that this package does not know.
        """
        try:
            values = json.loads(data)
            if not isinstance(values, dict) or values.pop("format", None) != _FORMAT:
                raise FormatError(f"{name}: no manifest of a sharded index")
            if (version := values.pop("version", None)) != _VERSION:
                raise FormatError(f"{name}: version {version!r}; this hashret reads {_VERSION}")
            checksum = values.pop("checksum", None)
            if checksum != _checksum({"format": _FORMAT, "version": _VERSION, **values}):
                raise FormatError(f"{name}: damaged: it does not fit its checksum")
            _check(values, _MANIFEST)
            shards = tuple(_shard(one) for one in values.pop("shards"))
            return cls(**values, shards=shards)
        except FormatError as error:
            raise FormatError(f"{name}: {str(error).removeprefix(f'{name}: ')}") from None
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{name}: no JSON: {error}") from None


def _canonical(values: Any) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def _checksum(values: Any) -> str:
    return hashlib.sha256(_canonical(values)).hexdigest()


def _shard(values: dict[str, Any]) -> Shard:
    _check(values, _SHARD)
    blobs = {}
    for key in ("index", "table", "removed"):
        if values[key] is not None:
            _check(values[key], _BLOB)
            blobs[key] = Blob(**values[key])
    return Shard(**{**values, **blobs})


def _check(values: object, kinds: Mapping[str, Callable[[Any], bool]]) -> None:
    if not isinstance(values, dict) or values.keys() != kinds.keys():
        raise FormatError(f"expected {', '.join(kinds)}, got {values!r:.200}")
    for key, fits in kinds.items():
        if not fits(values[key]):
            raise FormatError(f"{key}: {values[key]!r:.200} is none")


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_id(value: object) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def _is_name(value: object) -> bool:
    # Nothing else, as it becomes part of a path.
    suffixes = (".hri", ".parquet", ".ids")
    return (
        isinstance(value, str)
        and value.endswith(suffixes)
        and _DIGEST.fullmatch(value.partition(".")[0]) is not None
        and value.count(".") == 1
    )


_BLOB = {"name": _is_name, "size": _is_count}
_SHARD = {
    "index": lambda value: isinstance(value, dict),
    "count": _is_count,
    "low": _is_id,
    "high": _is_id,
    "table": lambda value: value is None or isinstance(value, dict),
    "removed": lambda value: value is None or isinstance(value, dict),
}
_MANIFEST = {
    "bits": lambda value: type(value) is int and 1 <= value <= _MOST_BITS,
    "encoder": lambda value: value is None or (isinstance(value, str) and len(value) <= 64),
    "generation": _is_count,
    # One more than the greatest id may not fit int64.
    "next_id": lambda value: type(value) is int and 0 <= value <= 2**63,
    "shards": lambda value: isinstance(value, list),
}
