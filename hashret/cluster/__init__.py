"""Codes that outgrow one machine: an index of many files, which Ray serves and fills.

================== ===============================================================
``index.py``       :class:`ShardedIndex`: search, change, all as one index
``manifest.py``    which files one state of it is made of
``location.py``    where they lie: a folder, or what fsspec opens; two writers
``cache.py``       copies of them on this machine, verified, within a budget
``shard.py``       what one opened shard answers
``checksums.py``   whether two have the same codes
``merging.py``     many answers as one
``filter.py``      ids that searches are restricted to
``fleet.py``       who answers for shards: this process
``replicas/``      or actors of a Ray cluster: time-outs, failover, hedging, rebuilding
``encoding/``      folders of pictures to shards, here or by tasks of Ray
``collection.py``  the codes of a collection as shards, for its page
``writing.py``     new shards, removed ids
``tables.py``      paths, metadata and failures, in Parquet
================== ===============================================================

A sharded index loads and searches without Ray; see ``docs/cluster.md``.
"""

from __future__ import annotations

from .cache import Cache
from .filter import ShardedFilter
from .index import ShardedIndex
from .location import Location, open_location
from .manifest import Blob, Manifest, Shard

__all__ = [
    "Blob",
    "Cache",
    "Location",
    "Manifest",
    "Shard",
    "ShardedFilter",
    "ShardedIndex",
    "open_location",
]
