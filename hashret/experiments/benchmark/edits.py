"""Edited copies of images: families of edits that no training here has among its views.

Trainings mirror and move images by some pixels, or take vectors as they are; none crops, blurs,
compresses, greys, covers or turns them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...errors import ShapeError
from ...extras import import_extra
from ...types import Images

__all__ = ["EDITS", "edited", "families", "views"]

CROP = 0.8
QUALITY = 15
DEGREES = 10.0
BAR = 0.2
# Views made at once: of 96x96 pixels in colour, 110 MB.
_VIEWS = 4096

Picture = Any
Edit = Callable[[Picture, np.random.Generator], Picture]


def families(images: Images) -> tuple[str, ...]:
    """Return the names of the families that change images; grey ones have no colour to lose."""
    return tuple(name for name in EDITS if images.ndim == 4 or name != "grey")


def edited(images: Images, family: str) -> Images:
    """Return a copy of each image, of the same size, edited by one family.

    What is drawn at random, such as the place of a crop, is drawn alike every time.

    Examples
    --------
    >>> image = np.full((1, 32, 32), 200, np.uint8)
    >>> image[0, :16] = 0
    >>> [int(edited(image, name)[0].min()) for name in ("crop", "text bar", "rotation")]
    [0, 0, 0]
    """
    if images.ndim not in (3, 4) or images.dtype != np.uint8:
        raise ShapeError(f"images: expected uint8 (n, height, width[, 3]), got {images.shape}")
    pillow: Any = import_extra("PIL.Image", "images")
    rng, edit = np.random.default_rng(0), EDITS[family]
    copies = np.empty_like(images)
    for row, image in enumerate(images):
        copies[row] = np.asarray(edit(pillow.fromarray(image), rng))
    return copies


def views(images: Images, count: int) -> Iterator[Images]:
    """Yield random views of images, some at a time, until there are `count`.

    The images one after another, again and again; each a window of half to all of its area,
    scaled back, mirrored half of the time, and lighter or darker by up to a quarter.

    Examples
    --------
    >>> [len(part) for part in views(np.zeros((3, 8, 8), np.uint8), 7)]
    [3, 3, 1]
    """
    pillow: Any = import_extra("PIL.Image", "images")
    rng = np.random.default_rng(0)
    step = min(_VIEWS, len(images))
    for start in range(0, count, step):
        rows = np.arange(start, min(start + step, count)) % len(images)
        part = np.stack([_view(pillow.fromarray(image), rng) for image in images[rows]])
        light = rng.uniform(0.75, 1.25, (len(part), *[1] * (part.ndim - 1)))
        yield (part * light).clip(0, 255).astype(np.uint8)


def _view(picture: Picture, rng: np.random.Generator) -> Any:
    pillow: Any = import_extra("PIL.Image", "images")
    sides = [side * rng.uniform(0.5, 1) ** 0.5 for side in picture.size]
    left, top = (rng.uniform(0, a - b) for a, b in zip(picture.size, sides, strict=True))
    box = (left, top, left + sides[0], top + sides[1])
    view = np.asarray(picture.resize(picture.size, pillow.Resampling.BILINEAR, box))
    return view[:, ::-1] if rng.random() < 0.5 else view


def _crop(picture: Picture, rng: np.random.Generator) -> Picture:
    pillow: Any = import_extra("PIL.Image", "images")
    width, height = (round(side * CROP) for side in picture.size)
    left, top = (
        int(rng.integers(0, max(1, a - b + 1)))
        for a, b in zip(picture.size, (width, height), strict=True)
    )
    box = (left, top, left + width, top + height)
    return picture.resize(picture.size, pillow.Resampling.BILINEAR, box)


def _blur(picture: Picture, rng: np.random.Generator) -> Picture:
    filters: Any = import_extra("PIL.ImageFilter", "images")
    return picture.filter(filters.GaussianBlur(max(picture.size) / 32))


def _recompress(picture: Picture, rng: np.random.Generator) -> Picture:
    pillow: Any = import_extra("PIL.Image", "images")
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    return pillow.open(file)


def _grey(picture: Picture, rng: np.random.Generator) -> Picture:
    return picture.convert("L").convert(picture.mode)


def _text_bar(picture: Picture, rng: np.random.Generator) -> Picture:
    draw: Any = import_extra("PIL.ImageDraw", "images")
    font: Any = import_extra("PIL.ImageFont", "images")
    width, height = picture.size
    top = height - max(1, round(height * BAR))
    white = 255 if picture.mode == "L" else (255, 255, 255)
    copy = picture.copy()
    pen = draw.Draw(copy)
    pen.rectangle((0, top, width, height), fill=0)
    pen.text((1, top), "caption text", fill=white, font=font.load_default(max(5, height - top - 1)))
    return copy


def _rotate(picture: Picture, rng: np.random.Generator) -> Picture:
    pillow: Any = import_extra("PIL.Image", "images")
    return picture.rotate(DEGREES, pillow.Resampling.BILINEAR)


EDITS: dict[str, Edit] = {
    "crop": _crop,
    "blur": _blur,
    "recompression": _recompress,
    "grey": _grey,
    "text bar": _text_bar,
    "rotation": _rotate,
}
