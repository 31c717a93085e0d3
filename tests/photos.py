"""Small pictures that differ, for tests of collections."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

__all__ = ["write_photo"]


def write_photo(path: str | bytes | os.PathLike[str], seed: int) -> None:
    """Write a picture whose seed is all that it depends on."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
    with open(path, "wb") as file:
        small.resize((96, 80), Image.Resampling.BICUBIC).save(file, format="PNG")
