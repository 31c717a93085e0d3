"""What a radius means in a collection: how many pairs it has, and what they look like."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np

from ...index import Index
from ..catalogue import Catalogue, EncoderRow
from ..images import images_of
from .finder import Place, place_of
from .pool import load_pool
from .rules import Rules

__all__ = ["Level", "calibrate"]

_LEVELS = (0, 4, 8, 12, 16, 20, 24, 31, 40, 48, 56, 64, 72)
_BLOCK = 256
_SHOWN = 5


@dataclass
class Level:
    """A radius.

    Attributes
    ----------
    radius : int
        Bits.
    pairs : int
        Of images that are no further apart.
    samples : list of (Place, Place, int)
        Some pairs that the radius before does not have, with their distances.
    """

    radius: int
    pairs: int = 0
    samples: list[tuple[Place, Place, int]] = field(default_factory=list)


def calibrate(
    catalogue: Catalogue, encoder: EncoderRow, rules: Rules | None = None, *, seed: int = 0
) -> list[Level]:
    """Count the pairs of images within each of some radii, and draw five of each.

    Parameters
    ----------
    catalogue : Catalogue
    encoder : EncoderRow
    rules : Rules, optional
        Of which the plain ones are left out.
    seed : int
        Of the draw.
    """
    pool = load_pool(catalogue, encoder, rules or Rules())
    places = np.flatnonzero(pool.coded)
    levels = [Level(radius) for radius in _LEVELS]
    drawn: list[list[tuple[float, int, int, int]]] = [[] for _ in levels]
    chance = random.Random(seed)
    index = Index(encoder.bits)
    if len(places):
        index.add(pool.codes[places], ids=places)
    for start in range(0, len(places), _BLOCK):
        block = places[start : start + _BLOCK]
        lims, distances, others = index.range_search(pool.codes[block], _LEVELS[-1])
        own = np.repeat(block, np.diff(lims))
        pairs = others > own
        which = np.searchsorted(_LEVELS, distances[pairs])
        for level in np.unique(which).tolist():
            rows = np.flatnonzero(pairs)[which == level]
            levels[level].pairs += len(rows)
            for row in chance.sample(rows.tolist(), min(_SHOWN, len(rows))):
                # With a chance for each that does not depend on the block it is in, nearly.
                weight = chance.random() ** (len(rows) / min(_SHOWN, len(rows)))
                drawn[level].append((weight, int(own[row]), int(others[row]), int(distances[row])))
            drawn[level] = sorted(drawn[level])[:_SHOWN]
    total = 0
    for one, some in zip(levels, drawn, strict=True):
        total += one.pairs
        one.pairs = total
        one.samples = _samples(catalogue, pool.ids, some)
    return levels


def _samples(
    catalogue: Catalogue, ids: np.ndarray, drawn: list[tuple[float, int, int, int]]
) -> list[tuple[Place, Place, int]]:
    wanted = [int(ids[place]) for _, *pair, _ in drawn for place in pair]
    shown = {image.id: place_of(image, image.files[0]) for image in images_of(catalogue, wanted)}
    return [(shown[int(ids[a])], shown[int(ids[b])], distance) for _, a, b, distance in drawn]
