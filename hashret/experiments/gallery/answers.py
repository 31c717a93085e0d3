"""What a gallery shows: queries, and the images that each method retrieved for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import ShapeError
from ...evaluation.labels import share_a_label

__all__ = ["Answers", "Gallery", "Hit", "Tile", "collect_hits"]

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Tile:
    """An image, uint8 (h, w) or (h, w, 3), and the name of its class."""

    image: Image
    name: str


@dataclass(frozen=True)
class Hit:
    """A retrieved image, its Hamming distance, and whether it has the query's class."""

    tile: Tile
    distance: int
    right: bool


@dataclass(frozen=True)
class Answers:
    """What a method found: a tuple of hits for each query of the gallery, best first."""

    name: str
    detail: str
    hits: tuple[tuple[Hit, ...], ...]


@dataclass(frozen=True)
class Gallery:
    """Queries, the methods' answers, and the words around them.

    Attributes
    ----------
    title, subtitle : str
    queries : tuple of Tile
    methods : tuple of Answers
        Each with one tuple of hits a query.
    columns, rows : sequences of str
        The summary table.
    notes : tuple of str
        Paragraphs below the table: what the numbers mean.
    credits : str
        Whose images these are.
    legend : tuple of three str
        What is right, what is wrong, and what d is.
    """

    title: str
    subtitle: str
    queries: tuple[Tile, ...]
    methods: tuple[Answers, ...]
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    credits: str = ""
    legend: tuple[str, str, str] = (
        "same class as the query",
        "another class",
        "d = Hamming distance to the query's code",
    )

    def __post_init__(self) -> None:
        for method in self.methods:
            if len(method.hits) != len(self.queries):
                raise ShapeError(
                    f"methods: expected {len(self.queries)} answers of {method.name}, "
                    f"one a query, got {len(method.hits)}"
                )


def collect_hits(
    images: Image,
    labels: npt.NDArray[np.int64],
    class_names: Sequence[str],
    distances: npt.NDArray[np.int32],
    ids: npt.NDArray[np.int64],
    query_labels: npt.NDArray[np.int64],
) -> tuple[tuple[Hit, ...], ...]:
    """Turn an index's answer into hits; missing neighbours (id -1) are left out.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        The database; an id is a row of it.
    labels : ndarray of int64, shape (n,)
        Positions in `class_names`; -1 is "no label", and matches nothing.
    class_names : sequence of str
    distances, ids : ndarray, shape (n_queries, k)
        As :meth:`hashret.Index.search` returns them.
    query_labels : ndarray of int64, shape (n_queries,)
    """
    return tuple(
        tuple(
            Hit(
                Tile(images[i], class_names[labels[i]] if labels[i] >= 0 else "no label"),
                int(d),
                bool(share_a_label(labels[i], wanted)),
            )
            for d, i in zip(row_distances, row_ids, strict=True)
            if i >= 0
        )
        for row_distances, row_ids, wanted in zip(distances, ids, query_labels, strict=True)
    )
