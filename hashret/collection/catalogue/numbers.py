"""Numbers of a file as the catalogue keeps them."""

from __future__ import annotations

__all__ = ["TICK_NS", "signed"]

# Nothing tells two changes within so many nanoseconds apart by their times: two seconds is what
# FAT has, and more than any clock's tick.
TICK_NS = 2 * 10**9


def signed(number: int) -> int:
    """Return a number as 64 signed bits have it, which is all that SQLite keeps.

    So a file from the year 2300 is one from long ago, and the same one every time.
    """
    return (number + 2**63) % 2**64 - 2**63
