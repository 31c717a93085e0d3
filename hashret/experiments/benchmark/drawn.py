"""A small data set of two levels that is drawn, not photographed: for trials of the machinery."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...datasets import Dataset
from ...types import Images

__all__ = ["drawn_shapes"]

SHAPES = ("disc", "square", "cross", "frame", "stripe", "diamond")
TONES = ("top", "bottom", "even")
_SIDE = 32
_TRAIN, _TEST = 20, 8


def drawn_shapes() -> Dataset:
    """Return grey images of six shapes, the classes, in three shadings, their finer labels.

    Always the same; 360 to train on and 144 to test. No figure of them means anything.

    Examples
    --------
    >>> data = drawn_shapes()
    >>> data.train_images.shape, len(data.finer_names)
    ((360, 32, 32), 18)
    """
    rng = np.random.default_rng(0)
    train, test = (_part(count, rng) for count in (_TRAIN, _TEST))
    names = tuple(f"{shape}/{tone}" for shape in SHAPES for tone in TONES)
    return Dataset(
        "drawn-shapes",
        train[0],
        train[1] // len(TONES),
        test[0],
        test[1] // len(TONES),
        SHAPES,
        "drawn",
        train[1],
        test[1],
        names,
    )


def _part(count: int, rng: np.random.Generator) -> tuple[Images, npt.NDArray[np.int64]]:
    finer = np.repeat(np.arange(len(SHAPES) * len(TONES)), count)
    images = np.stack([_image(*divmod(int(label), len(TONES)), rng) for label in finer])
    return images, finer.astype(np.int64)


def _image(shape: int, tone: int, rng: np.random.Generator) -> Images:
    size, noise = rng.uniform(7, 12), rng.normal(0, 8, (_SIDE, _SIDE))
    down, right = np.mgrid[:_SIDE, :_SIDE] - rng.uniform(13, 18, 2)[:, None, None]
    far = np.maximum(abs(down), abs(right))
    inside = (
        np.hypot(down, right) < size,
        far < size,
        (far < size) & (np.minimum(abs(down), abs(right)) < size / 3),
        (far < size) & (far > size / 2),
        (abs(right) < size / 3),
        abs(down) + abs(right) < size,
    )[shape]
    light = (140 - 6 * down, 140 + 6 * down, np.full(down.shape, 140.0))[tone]
    return (np.where(inside, light, 20.0) + noise).clip(0, 255).astype(np.uint8)
