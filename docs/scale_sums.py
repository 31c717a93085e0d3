"""What docs/make_scale.py reckons: plans of so many images, from constants that were measured."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

# What is assumed of a node, and of what is asked.
CORES, MEMORY, USED = 32, 256 * 2**30, 0.8
NETWORK = 25e9 / 8  # bytes a second
BANDWIDTH = 200e9  # bytes a second that all cores of a node read of its memory
FILE = 3e6  # bytes of a photograph
BATCH = 100  # queries that go over the codes together, as was measured
RATE, REPLICAS, SHARD = 100, 2, 10**8
IMAGES = (10**9, 10**11)

Row = dict[str, Any]


class Plan(NamedTuple):
    """A collection of so many images, by codes of so many bits, searched in one way."""

    images: int
    bits: int
    way: str
    bytes: float
    core_seconds: float
    read: float  # bytes of a query, where codes are read from end to end

    @property
    def for_memory(self) -> int:
        """Nodes whose memory holds all replicas."""
        return math.ceil(self.images * self.bytes * REPLICAS / (MEMORY * USED))

    @property
    def for_cores(self) -> int:
        """Nodes whose cores answer all queries."""
        return math.ceil(self.core_seconds * RATE / CORES)

    @property
    def for_bandwidth(self) -> int:
        """Nodes whose memory is read fast enough."""
        return math.ceil(self.read * RATE / BANDWIDTH)

    @property
    def short(self) -> str:
        """What runs short first."""
        needs = {
            "room in memory": self.for_memory,
            "processors": self.for_cores,
            "bandwidth of memory": self.for_bandwidth,
        }
        return max(needs, key=lambda what: needs[what])

    @property
    def nodes(self) -> int:
        """Nodes that suffice."""
        return max(self.for_memory, self.for_cores, self.for_bandwidth, REPLICAS)


class Rows:
    """Measured constants by name."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = list(rows)
        self._named: dict[str, list[Row]] = {}
        for row in self.rows:
            self._named.setdefault(row["name"], []).append(row)

    def all(self, name: str, **about: Any) -> list[Row]:
        """Return the rows of a name."""
        return [row for row in self._named.get(name, []) if about.items() <= row.items()]

    def one(self, name: str, **about: Any) -> Row:
        """Return the row of a name with the most codes."""
        found = self.all(name, **about)
        if not found:
            raise SystemExit(f"no row of {name} with {about}")
        return max(found, key=lambda row: row.get("codes", 0))

    def value(self, name: str, **about: Any) -> float:
        """Return the value of that row."""
        return float(self.one(name, **about)["value"])


def plans(rows: Rows) -> list[Plan]:
    """Return all that the page compares."""
    found = []
    for images in IMAGES:
        for bits in (64, 256):
            size = rows.value("scan_bytes", bits=bits)
            for way, name, batch in (
                ("scan", "scan_seconds", 1),
                ("scan, batches", "scan_batch_seconds", BATCH),
            ):
                cost = images * rows.value(name, bits=bits)
                found.append(Plan(images, bits, way, size, cost, images * bits / 8 / batch))
            for data in ("clustered", "uniform"):
                row = rows.one("query_seconds", bits=bits, data=data)
                cost = images / row["codes"] * row["value"]
                size = rows.value("bytes", bits=bits, data=data)
                # Where it costs about as much, the planner has scanned.
                scan = images * rows.value("scan_seconds", bits=bits)
                read = images * bits / 8 if cost > scan / 2 else 0.0
                found.append(Plan(images, bits, f"tables, {data}", size, cost, read))
    return found
