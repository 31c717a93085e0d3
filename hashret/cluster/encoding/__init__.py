"""Folders of pictures to shards of codes, on many machines.

================ ============================================================================
``archives.py``  pictures in a tar file or a Parquet: their keys, their bytes
``plan.py``      which file goes into which shard and has which id, before any is read
``encoders.py``  an encoder, to be made again on other machines
``unpacking.py`` the pictures of archives as files, for those who read them
``unit.py``      one shard: files read, encoded, written
``bounds.py``    what one may take: seconds and memory, measured by us
``tasks.py``     units as tasks of Ray: given out again if they fail, and in the end given up
``running.py``   all units, in this process or by tasks: :func:`encode`
================ ============================================================================
"""

from __future__ import annotations

from .bounds import Bounds
from .plan import SHARD_FILES, listed
from .running import Encoded, encode

__all__ = ["SHARD_FILES", "Bounds", "Encoded", "encode", "listed"]
