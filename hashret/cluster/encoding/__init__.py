"""Folders of pictures to shards of codes, on many machines.

=============== ===================================================================
``plan.py``     which file goes into which shard and has which id, before any is read
``encoders.py`` an encoder, to be made again on other machines
``unit.py``     one shard: files read, encoded, written; done again if it fails
``running.py``  all units, in this process or as tasks of Ray: :func:`encode`
=============== ===================================================================
"""

from __future__ import annotations

from .plan import SHARD_FILES, listed
from .running import Encoded, encode

__all__ = ["SHARD_FILES", "Encoded", "encode", "listed"]
