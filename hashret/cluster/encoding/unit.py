"""One shard of a plan: its files read, encoded and written."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...images.reading import Limits, Read, Skipped, read_files
from ..location import Location, open_location
from ..manifest import Blob, Manifest, Shard
from ..tables import write_table
from ..writing import write_shard
from .encoders import EncoderSource
from .plan import Unit
from .unpacking import Unpacked

__all__ = ["Work", "encode_unit", "receipt_of", "write_failed"]

# Pictures that are encoded together.
_BATCH = 64
_KEPT = ("content", "format", "width", "height", "taken")


@dataclass(frozen=True)
class Work:
    """What is the same for all units of a plan.

    Attributes
    ----------
    place : str
        The location.
    source : EncoderSource
    head : Manifest
        Says bits and encoder.
    limits : Limits
        Of one file.
    workers : int
        Processes that read files.
    """

    place: str
    source: EncoderSource
    head: Manifest
    limits: Limits
    workers: int


def receipt_of(location: Location, unit: Unit) -> Shard | None:
    """Return the shard of a unit that is done, None if it is not, or its files are not there."""
    try:
        with location.read(unit.receipt) as file:
            values = json.load(file)
    except (FileNotFoundError, ValueError):
        return None
    blobs = {key: Blob(**values[key]) for key in ("index", "table") if values[key]}
    shard = Shard(**{**values, **blobs})
    sizes = location.sizes_of(shard.blobs)
    return shard if sizes == [blob.size for blob in shard.blobs] else None


def encode_unit(unit: Unit, work: Work) -> Shard:
    """Return the shard of a unit, which is written before the receipt that it is done."""
    encoder = work.source.make(work.head.encoder)
    codes, rows = _encoded(unit, encoder, work)
    location = open_location(work.place)
    ids = np.array(sorted(codes), np.int64)
    packed = np.frombuffer(b"".join(codes[id] for id in ids.tolist()), np.uint8)
    table = _table(location, rows)
    width = (work.head.bits + 7) // 8
    shard = write_shard(location, work.head, packed.reshape(len(ids), width), ids, table)
    location.write(unit.receipt, json.dumps(asdict(shard)).encode())
    return shard


def write_failed(work: Work, unit: Unit, reason: str) -> Shard:
    """Write the shard of a unit that is given up: all its files are failures. It is not done."""
    location = open_location(work.place)
    rows = [{"id": id, "path": path, "reason": reason} for id, path in unit.files]
    codes = np.empty((0, (work.head.bits + 7) // 8), np.uint8)
    ids = np.empty(0, np.int64)
    return write_shard(location, work.head, codes, ids, _table(location, rows))


def _table(location: Location, rows: list[dict[str, Any]]) -> Blob | None:
    rows.sort(key=lambda row: row["id"])
    return location.put(write_table(rows), ".parquet") if rows else None


def _encoded(unit: Unit, encoder: Any, work: Work) -> tuple[dict[int, bytes], list[dict[str, Any]]]:
    """Return codes by id, and a row for each picture, read or not."""
    code_of = encoder.code_of
    paths = dict(unit.files)
    codes: dict[int, bytes] = {}
    rows: list[dict[str, Any]] = []
    batch: list[Read] = []
    with Unpacked(unit.files, unit.archives, work.limits) as unpacked:
        results = read_files(
            unpacked,
            side=encoder.side,
            limits=work.limits,
            workers=work.workers,
            shows=code_of is None,
            functions={} if code_of is None else {"code": code_of},
        )
        for result in results:
            unpacked.drop(result.token)
            if isinstance(result, Skipped):
                # What is no picture is left out without a word.
                if result.picture:
                    rows.append(_failed(result, paths[result.token]))
                continue
            batch.append(result)
            if len(batch) == _BATCH:
                rows += _take(batch, encoder, codes, paths)
                batch = []
        rows += [_failed(one, paths[one.token]) for one in unpacked.skipped]
    rows += _take(batch, encoder, codes, paths)
    return codes, rows


def _failed(skipped: Skipped, path: bytes) -> dict[str, Any]:
    return {
        "id": skipped.token,
        "path": path,
        "reason": skipped.reason,
        "content": skipped.content,
    }


def _take(
    batch: list[Read], encoder: Any, codes: dict[int, bytes], paths: dict[int, bytes]
) -> list[dict[str, Any]]:
    """Put the codes of a batch with the others; return its rows."""
    if not batch:
        return []
    if encoder.code_of is None:
        packed, quality = encoder.encode([read.pixels for read in batch])
        made = [np.asarray(code, np.uint8).tobytes() for code in packed]
        qualities: list[float | None] = [None] * len(batch)
        if quality is not None:
            qualities = [float(one) for one in quality]
    else:
        made = [read.codes["code"][0] for read in batch]
        qualities = [read.codes["code"][1] for read in batch]
    rows = []
    for read, code, value in zip(batch, made, qualities, strict=True):
        codes[read.token] = code
        kept = {name: getattr(read, name) for name in _KEPT}
        rows.append({"id": read.token, "path": paths[read.token], "quality": value, **kept})
    return rows
