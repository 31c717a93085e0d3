"""What a search did, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import _native
from .tuning import tuning_of

__all__ = ["Explanation", "explain"]

MISSING = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Explanation:
    """How one query was answered.

    Attributes
    ----------
    kind : str
        The kind of the index.
    way : {"scan", "mih", "mih, then scan", "lsh", "lists"}
        What was done.
    codes : int
        Codes in the index.
    candidates : int
        Codes compared with the query, repeated ones included.
    buckets : int
        Buckets, or lists, looked into.
    radius : int or None
        Within this distance the buckets showed every code; None if it was not asked.
    distance : int or None
        Distance of the last result; None if there are none.
    exact : bool
    reason : str
        Why the answer is exact, or why it may not be.
    """

    kind: str
    way: str
    codes: int
    candidates: int
    buckets: int
    radius: int | None
    distance: int | None
    exact: bool
    reason: str

    def __str__(self) -> str:
        """Return a few lines for people."""
        return (
            f"{self.way}: {self.candidates:,} comparisons over {self.codes:,} codes, "
            f"{self.buckets:,} {'lists' if self.way == 'lists' else 'buckets'}\n"
            f"{'exact' if self.exact else 'approximate'}: {self.reason}"
        )


def explain(reader: _native.Reader, request: _native.Request, k: int) -> Explanation:
    """Search for one query on the calling thread, and put what was done into words."""
    distances, ids = np.empty((1, k), np.int32), np.empty((1, k), np.int64)
    candidates, buckets, scanned, radius = reader.search(request, k, distances, ids)
    kind = reader.index.kind
    found = distances[distances != MISSING]
    last = int(found.max()) if len(found) else None
    way, reason = _way(kind, len(found) == distances.size, last, buckets, scanned, radius)
    if kind == "approximate":
        way, reason = _way_of_lists(reader, k, buckets)
    if way == "scan" and reader.compared < len(reader):
        reason = "all codes that the filter allows were compared"
    return Explanation(
        kind=kind,
        way=way,
        codes=len(reader),
        candidates=candidates,
        buckets=buckets,
        radius=radius if way == "mih" else None,
        distance=last,
        exact=way not in ("lsh", "lists"),
        reason=reason,
    )


def _way_of_lists(reader: _native.Reader, k: int, lists: int) -> tuple[str, str]:
    tuned = tuning_of(reader, k)
    if not lists and tuned.exact:
        return "scan", f"all codes were compared: {tuned.reason}"
    if not lists:
        return "scan", "all codes that may be found were compared, which costs less than lists"
    return "lists", f"the nearest of {tuned.lists:,} lists were compared; {tuned.reason}"


def _way(
    kind: str, full: bool, last: int | None, buckets: int, scanned: int, radius: int
) -> tuple[str, str]:
    if kind == "lsh":
        return "lsh", "only codes that share a bucket with the query were compared"
    if buckets and scanned:
        return (
            "mih, then scan",
            "looking into the remaining buckets would have cost more than comparing all codes, "
            "so all were compared",
        )
    if not buckets:
        return "scan", "all codes were compared, equal ones once"
    if not full:
        return "mih", "the buckets showed every code"
    return (
        "mih",
        f"the buckets showed every code within distance {radius}, and the last result lies at "
        f"distance {last}",
    )
