"""Scoring: how well images of a collection find those of their label by their codes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import ParameterError
from .collection import Collection
from .indexes import codes_of
from .labels import labels_of
from .training.scores import chance, score_codes

__all__ = ["Scored", "score_encoders"]


class Scored(NamedTuple):
    """How well an encoder's codes find images of the same label.

    Attributes
    ----------
    encoder : str
    bits : int
    images : int
        With a label and a code; each is searched for.
    queries : int
        How many of them were looked for among all others.
    labels : int
        Different ones.
    map, precision : float
        Mean average precision, and the share of the first ten that have the label; ties count by
        their expectation.
    chance : float
        That share of random results.
    """

    encoder: str
    bits: int
    images: int
    queries: int
    labels: int
    map: float
    precision: float
    chance: float


def score_encoders(
    collection: Collection, key: str, encoders: tuple[str, ...] = (), *, most: int = 10_000
) -> list[Scored]:
    """Score encoders by the labels of a key, each image among all others.

    By Hamming distance, or by the ranking rule that an encoder has, as searches by id are.

    Parameters
    ----------
    collection : Collection
    key : str
    encoders : tuple of str
        All by default.
    most : int
        Of more images so many are looked for, drawn at random.

    Raises
    ------
    ParameterError
        If no image has the key, or no two images of an encoder have a label.
    """
    labels = labels_of(collection.catalogue, key)
    rows = collection.encoders
    unknown = [name for name in encoders if name not in rows]
    if unknown:
        raise ParameterError(f"encoder: expected one of {', '.join(rows)}, got {unknown[0]!r}")
    return [_scored(collection, name, labels, most) for name in encoders or rows]


def _scored(collection: Collection, name: str, labels: dict[int, str], most: int) -> Scored:
    row = collection.encoders[name]
    ids, codes = codes_of(collection.catalogue, row)
    kept = np.array([image in labels for image in ids.tolist()], bool)
    codes, said = codes[kept], np.array([labels[image] for image in ids[kept].tolist()], np.str_)
    if len(codes) < 2:
        raise ParameterError(f"encoder {name!r}: {len(codes)} of its images have the key")
    asked = np.arange(len(codes))
    if len(asked) > most:
        asked = np.sort(np.random.default_rng(0).choice(asked, most, replace=False))
    rule = collection.ranking(name)
    queries = codes[asked] if rule is None else rule.queries_of_codes(codes[asked])
    score = score_codes(queries, codes, row.bits, said[asked], said, exclude=asked, rule=rule)
    random = chance(said[asked], said, own=True)
    classes = len(np.unique(said))
    return Scored(name, row.bits, len(codes), len(asked), classes, *score, random)
