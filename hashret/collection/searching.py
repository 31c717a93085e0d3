"""Searching a collection: the images nearest to a query, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..checks import check_int
from ..errors import HashretError
from ..index import Index
from ..rerank import by_margins
from ..types import Ids
from .collection import Collection
from .images import File, Image, images_of
from .queries import Query

__all__ = ["Answer", "Result", "default_encoder", "search"]

# How many candidates there are for each result that is ordered anew.
_FINER = 20


@dataclass(frozen=True)
class Result:
    """An image that was found.

    Attributes
    ----------
    image : Image
    distance : float
        Bits in which the codes differ; or of `rerank`, the sum of the margins of those.
    same : bool
        Whether it is the query itself.
    """

    image: Image
    distance: float
    same: bool

    @property
    def file(self) -> File:
        """Where it lies, or lay if it is missing: the first of its files."""
        return self.image.files[0]


@dataclass(frozen=True)
class Answer:
    """What was found for a query: nothing if it has a reason why it is none."""

    query: Query
    results: tuple[Result, ...]


class _Wanted(NamedTuple):
    """What is wanted of an index: the k nearest, or all within a radius, or both."""

    k: int | None
    radius: int | None
    among: Ids | None


def default_encoder(collection: Collection) -> str:
    """Return the encoder that answers by default: ``photo``, else the first that there is.

    Raises
    ------
    HashretError
        If the collection has no codes yet.
    """
    names = [*collection.encoders]
    if not names:
        raise HashretError(f"{collection.store}: no codes yet; hashret index makes them")
    return "photo" if "photo" in names else names[0]


def search(
    collection: Collection,
    encoder: str,
    queries: Sequence[Query],
    *,
    k: int | None = 10,
    radius: int | None = None,
    where: str | None = None,
    rerank: bool = False,
    missing: bool = False,
    ids: Ids | None = None,
) -> list[Answer]:
    """Find the images nearest to each query.

    Parameters
    ----------
    collection : Collection
    encoder : str
        By its name in the collection; that of the queries' codes.
    queries : sequence of Query
    k : int, optional
        At most so many a query; None for all within `radius`.
    radius : int, optional
        At most so many bits away.
    where : str, optional
        Only images that fulfil this; see :func:`.filters.parse_filter`.
    rerank : bool
        Order candidates by the queries' margins.
    missing : bool
        Find images of which no file is present, too.
    ids : ndarray of int64, optional
        Only these images, which have codes of the encoder; instead of `where`.

    Returns
    -------
    answers : list of Answer
        In the order of `queries`; results by (distance, id).

    Raises
    ------
    ParameterError
        If k or radius is out of range, or `where` is no filter.
    """
    k = None if k is None and radius is not None else check_int("k", k, 1)
    index = collection.index(encoder)
    among = None if where is None else _among(collection, index, where)
    wanted = _Wanted(k, radius, among)
    searcher = _Searcher(collection, index, missing, rerank)
    if ids is not None:
        wanted = wanted._replace(among=ids)
    return [
        Answer(query, () if query.code is None else searcher.answer(query, wanted))
        for query in queries
    ]


def _among(collection: Collection, index: Index, where: str) -> Ids:
    """Return the images that fulfil a filter; an id without a code is none of the index."""
    # Not at the top: most searches have none.
    from .filters import matching, parse_filter

    found = matching(collection.catalogue, parse_filter(where))
    return found[np.isin(found, index.ids)]


class _Searcher:
    """Answers one query after another."""

    def __init__(self, collection: Collection, index: Index, missing: bool, rerank: bool) -> None:
        self._catalogue = collection.catalogue
        self._index = index
        self._missing = missing
        self._rerank = rerank

    def answer(self, query: Query, wanted: _Wanted) -> tuple[Result, ...]:
        """Return the nearest that may be shown, looking at more where too many are missing."""
        at_most = len(self._index) if wanted.among is None else len(wanted.among)
        number = at_most if wanted.k is None else wanted.k * (_FINER if self._rerank else 1)
        while True:
            distances, ids = self._nearest(query, wanted, min(number, at_most))
            found = self._shown(query, distances, ids)
            if wanted.k is not None and len(found) >= wanted.k:
                return tuple(found[: wanted.k])
            if number >= at_most or len(ids) < number:
                return tuple(found)
            number *= 4

    def _nearest(self, query: Query, wanted: _Wanted, number: int) -> tuple[Any, Ids]:
        if number == 0:
            return np.empty(0, np.int32), np.empty(0, np.int64)
        assert query.code is not None
        codes = query.code[None]
        if wanted.radius is None:
            distances, ids = self._index.search(codes, number, filter=wanted.among)
            distances, ids = distances[0], ids[0]
        else:
            _, distances, ids = self._index.range_search(codes, wanted.radius, filter=wanted.among)
            distances, ids = distances[:number], ids[:number]
        if self._rerank and len(ids):
            finer, order = by_margins(
                query.margins[None],  # type: ignore[index]
                ids[None],
                self._index.get(ids),
                len(ids),
                ids=ids,
            )
            return finer[0], order[0]
        return distances, ids

    def _shown(self, query: Query, distances: Any, ids: Ids) -> list[Result]:
        images = {image.id: image for image in images_of(self._catalogue, ids)}
        found = []
        for distance, id in zip(distances.tolist(), ids.tolist(), strict=True):
            image = images.get(id)
            if image is None or not image.files:
                continue
            if self._missing or image.files[0].state == "present":
                found.append(Result(image, distance, image.content == query.content))
        return found
