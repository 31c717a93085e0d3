"""How many codes a run works on."""

from __future__ import annotations

import argparse

SIZES = {
    "small": 100_000,
    "medium": 1_000_000,
    "large": 10_000_000,
    "huge": 100_000_000,
    "billion": 1_000_000_000,
}


def size(text: str) -> int:
    """Read a name of :data:`SIZES` or a number of at least 1,000."""
    try:
        count = SIZES[text] if text in SIZES else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected {', '.join(SIZES)} or a number, got {text!r}"
        ) from None
    if count < 1000:
        raise argparse.ArgumentTypeError(f"expected at least 1000 codes, got {count}")
    return count
