"""Small collections of pictures that differ, for tests of what is done with their codes."""

from __future__ import annotations

import numpy as np
from PIL import Image

from hashret.collection import Collection


def write(path, seed: int) -> None:
    """Write a picture of soft blobs: another for every seed."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    small.resize((96, 80), Image.Resampling.BICUBIC).save(path)


def photos(root, count: int = 6, first: int = 0):
    """Make a collection with codes of ``perceptual`` of `count` pictures, 0.png and so on."""
    for number in range(count):
        write(root / f"{number}.png", first + number)
    with Collection.create([root]) as collection:
        collection.update(["perceptual"], workers=1)
    return root
