"""One shard of a plan: its files read, encoded and written."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from ...images.reading import Limits, Read, Skipped, read_files
from ..location import Location, open_location
from ..manifest import Blob, Manifest, Shard
from ..tables import write_table
from ..writing import write_shard
from .encoders import EncoderSource
from .plan import Unit

__all__ = ["encode_unit", "receipt_of"]

# Pictures that are encoded together.
_BATCH = 64
_KEPT = ("content", "format", "width", "height", "taken")


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


def encode_unit(
    place: str, unit: Unit, source: EncoderSource, head: Manifest, limits: Limits, workers: int
) -> Shard:
    """Return the shard of a unit, which is written before the receipt that it is done.

    Parameters
    ----------
    place : str
        The location.
    unit : Unit
    source : EncoderSource
    head : Manifest
        Says bits and encoder.
    limits : Limits
        Of one file.
    workers : int
        Processes that read files.
    """
    encoder = source.make(head.encoder)
    codes, rows = _encoded(unit, encoder, limits, workers)
    location = open_location(place)
    rows.sort(key=lambda row: row["id"])
    ids = np.array(sorted(codes), np.int64)
    packed = np.frombuffer(b"".join(codes[id] for id in ids.tolist()), np.uint8)
    table = location.put(write_table(rows), ".parquet") if rows else None
    width = (head.bits + 7) // 8
    shard = write_shard(location, head, packed.reshape(len(ids), width), ids, table)
    location.write(unit.receipt, json.dumps(asdict(shard)).encode())
    return shard


def _encoded(
    unit: Unit, encoder: Any, limits: Limits, workers: int
) -> tuple[dict[int, bytes], list[dict[str, Any]]]:
    """Return codes by id, and a row for each picture, read or not."""
    code_of = encoder.code_of
    results = read_files(
        unit.files,
        side=encoder.side,
        limits=limits,
        workers=workers,
        shows=code_of is None,
        functions={} if code_of is None else {"code": code_of},
    )
    paths = dict(unit.files)
    codes: dict[int, bytes] = {}
    rows: list[dict[str, Any]] = []
    batch: list[Read] = []
    for result in results:
        if isinstance(result, Skipped):
            # What is no picture is left out without a word.
            if result.picture:
                rows.append(_failed(result, paths[result.token]))
            continue
        batch.append(result)
        if len(batch) == _BATCH:
            rows += _take(batch, encoder, codes, paths)
            batch = []
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
