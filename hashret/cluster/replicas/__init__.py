"""Shards served by actors of a Ray cluster, each by several.

================== =====================================================================
``starting.py``    a cluster: one that runs, or a local one
``actor.py``       what runs in the cluster: one shard, opened
``door.py``        where an actor answers by connections of its own, which cost less than Ray's
``line.py``        such connections, as a client has them
``wire.py``        messages over one, after both sides have shown that they know the key
``replica.py``     an actor as its client sees it
``keeping.py``     as many replicas as are wanted, on different nodes; lost ones rebuilt
``backing_off.py`` where they do not start, why, and when it is tried again
``messages.py``    what goes to an actor and comes back
``asking.py``      a call to whichever answers first: time-outs, failover, hedging
``fleet.py``       all of it as a :class:`.Fleet`
================== =====================================================================

Time-outs are ours: a call to an actor whose node has just died was seen to hang for 5 to 15 s,
until Ray knows. Nothing that may wait for Ray's own bookkeeping is called while somebody waits
for an answer; that is done by the keeper's thread.
"""

from __future__ import annotations

from .fleet import RayFleet, served
from .starting import connect

__all__ = ["RayFleet", "connect", "served"]
