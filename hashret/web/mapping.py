"""The map of a collection, written into a file; runs in a process of its own."""

from __future__ import annotations

from ..collection import Collection
from ..collection.indexes import codes_of
from ..collection.searching import default_encoder
from ..files import write_bytes
from .projection import layout, records

__all__ = ["make_map"]

# Ids that four bytes hold.
_MOST_ID = 2**32 - 1


def make_map(store: str, path: str) -> None:
    """Lay out the codes of the encoder that answers by default."""
    with Collection.open(store) as collection:
        row = collection.row(default_encoder(collection))
        ids, codes = codes_of(collection.catalogue, row)
    small = ids <= _MOST_ID
    write_bytes(path, records(ids[small], layout(row.bits, codes[small])))
