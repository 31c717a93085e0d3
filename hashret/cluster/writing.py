"""Shards written: new codes, removed ids, and shards made of others."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..index import Index
from ..types import Codes, Ids
from .location import Location
from .manifest import Blob, Manifest, Shard

__all__ = ["SHARD_CODES", "batches", "split", "with_removed", "write_shard"]

# Codes of a shard, at most, if nothing else is said: 256 MB of 256 bits, with their tables.
SHARD_CODES = 2**22


def write_shard(
    location: Location,
    manifest: Manifest,
    codes: Codes,
    ids: Ids,
    table: Blob | None = None,
) -> Shard:
    """Write codes as a shard; the same codes and ids give the same file."""
    index = Index(manifest.bits, encoder=manifest.encoder)
    index.add(codes, ids)
    file = io.BytesIO()
    index.save(file)
    blob = location.put(file.getvalue(), ".hri")
    # Of none of which anything could be read there is a table alone.
    low, high = (int(ids.min()), int(ids.max())) if len(ids) else (0, -1)
    return Shard(blob, len(ids), low, high, table)


def split(codes: Codes, ids: Ids, most: int) -> Iterator[tuple[Codes, Ids]]:
    """Yield codes and ids by the shards that they go to: in the order of ids, of equal sizes."""
    order = np.argsort(ids, kind="stable")
    for rows in np.array_split(order, -(-len(ids) // most)) if len(ids) else ():
        yield codes[rows], ids[rows]


def with_removed(location: Location, shard: Shard, old: Ids, ids: Ids) -> Shard | None:
    """Return a shard without some more ids; None if nothing is left of it, nor of files known."""
    removed = np.union1d(old, ids).astype("<i8")
    if len(removed) == shard.count and shard.table is None:
        return None
    return replace(shard, removed=location.put(removed.tobytes(), ".ids"))


def batches(shards: Sequence[Shard], most: int) -> Iterator[list[Shard]]:
    """Yield shards that should be one: those that have lost codes, or are small, in their order.

    A single shard of which nothing is removed is as it should be.
    """
    batch: list[Shard] = []
    for shard in [each for each in shards if each.removed or 2 * each.live <= most]:
        if batch and sum(each.live for each in batch) + shard.live > most:
            yield from _worthwhile(batch)
            batch = []
        batch.append(shard)
    yield from _worthwhile(batch)


def _worthwhile(batch: list[Shard]) -> Iterator[list[Shard]]:
    if len(batch) > 1 or any(each.removed for each in batch):
        yield batch
