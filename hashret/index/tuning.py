"""What kind "approximate" has measured of itself."""

from __future__ import annotations

from dataclasses import dataclass

from .. import _native

__all__ = ["Tuning", "tuning_of"]

# Fewer codes, or fewer different ones, are compared one by one.
LEAST_CODES, LEAST_DIFFERENT = 16_385, 8_193


@dataclass(frozen=True)
class Tuning:
    """How an index of kind ``"approximate"`` reaches its recall, for the k nearest.

    Attributes
    ----------
    k : int
        What was measured: 1, 10, 100 or 1000, the least that is not below the k asked for.
    wanted : float
        The recall that was asked for.
    measured : float
        The recall of codes of the index, each left out of its own answer: the share of the k
        results that lie as near as the k-th nearest code. 1 if all codes are compared.
    low, high : float
        Its 95% interval: percentile bootstrap over the queries.
    queries : int
        How many codes it was measured with: as many as it takes to know the recall within .005,
        2,000 to 6,000 and at most a quarter of all; 0 if all codes are compared.
    lists : int
        Into how many the codes are grouped; 0 if all codes are compared.
    compared : int
        Codes, and centroids of lists, that a query was compared with in the mean.
    reason : str
        The same in words.
    """

    k: int
    wanted: float
    measured: float
    low: float
    high: float
    queries: int
    lists: int
    compared: int
    reason: str

    @property
    def exact(self) -> bool:
        """Whether all codes are compared."""
        return not self.lists


def tuning_of(reader: _native.Reader, k: int) -> Tuning:
    """Return what the engine tells."""
    wanted = reader.index.recall / _native.MAX_RECALL
    told = reader.tuning(k)
    if told is None:
        return Tuning(k, wanted, 1.0, 1.0, 1.0, 0, 0, len(reader), _why_all(reader, wanted))
    level, *shares, queries, lists, compared = told
    measured, low, high = (share / _native.MAX_RECALL for share in shares)
    reason = (
        f"{queries:,} codes of the index found {measured:.3f} ({low:.3f} to {high:.3f}) of their "
        f"{level:,} nearest, where {wanted:g} is wanted"
    )
    return Tuning(level, wanted, measured, low, high, queries, lists, compared, reason)


def _why_all(reader: _native.Reader, wanted: float) -> str:
    if wanted == 1.0:
        return "a recall of 1 is wanted"
    if len(reader) < LEAST_CODES:
        return f"lists are made and tuned from {LEAST_CODES:,} codes on, there are {len(reader):,}"
    if reader.awaits_lists:
        return "lists are being made"
    return (
        f"lists would not cost less for that many neighbours and a recall of {wanted:g}, or fewer "
        f"than {LEAST_DIFFERENT:,} codes differ"
    )
