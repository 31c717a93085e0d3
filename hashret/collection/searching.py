"""Searching a collection: the images nearest to a query, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..checks import check_int
from ..codes import unpack
from ..errors import HashretError
from ..index import Index, Ranked
from ..ranking import Hamming, Rule
from ..types import Ids
from .collection import Collection
from .images import File, Image, images_of
from .queries import Query

__all__ = ["Answer", "Result", "default_encoder", "search"]


@dataclass(frozen=True)
class Result:
    """An image that was found.

    Attributes
    ----------
    image : Image
    distance : float
        Bits in which the codes differ; or what the encoder's ranking rule, or `rerank`, says.
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
    """What was found for a query: nothing if it has a reason why it is none.

    Attributes
    ----------
    query : Query
    results : tuple of Result
    farthest : float
        The distance of a code that differs in all bits.
    """

    query: Query
    results: tuple[Result, ...]
    farthest: float


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

    By Hamming distance, or by the ranking rule that the encoder has. Where that takes margins, a
    query of which only the code is known counts as equally sure of all its bits.

    Parameters
    ----------
    collection : Collection
    encoder : str
        By its name in the collection; that of the queries' codes.
    queries : sequence of Query
    k : int, optional
        At most so many a query; None for all within `radius`.
    radius : int, optional
        At most so far away: so many bits, or by the encoder's ranking rule.
    where : str, optional
        Only images that fulfil this; see :func:`.filters.parse_filter`.
    rerank : bool
        Order by the queries' margins, too: a bit counts as much as the query is sure of it.
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
    searcher = _Searcher(collection, encoder, missing, rerank)
    among = None if where is None else _among(collection, searcher.index, where)
    wanted = _Wanted(k, radius, among)
    if ids is not None:
        wanted = wanted._replace(among=ids)
    return [
        Answer(query, (), searcher.index.bits)
        if query.code is None
        else Answer(query, searcher.answer(query, wanted), searcher.farthest(query))
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

    def __init__(self, collection: Collection, encoder: str, missing: bool, rerank: bool) -> None:
        self._catalogue = collection.catalogue
        self._missing = missing
        self.index = collection.index(encoder)
        self._ranked = collection.ranked(encoder)
        self._finer: Ranked | None = None
        if rerank:
            by = self._ranked or self.index.ranked(Hamming(self.index.bits))
            self._finer = by.by_margins()

    def answer(self, query: Query, wanted: _Wanted) -> tuple[Result, ...]:
        """Return the nearest that may be shown, looking at more where too many are missing."""
        at_most = len(self.index) if wanted.among is None else len(wanted.among)
        number = at_most if wanted.k is None else wanted.k
        while True:
            distances, ids = self._nearest(query, wanted, min(number, at_most))
            found = self._shown(query, distances, ids)
            if wanted.k is not None and len(found) >= wanted.k:
                return tuple(found[: wanted.k])
            if number >= at_most or len(ids) < number:
                return tuple(found)
            number *= 4

    def farthest(self, query: Query) -> float:
        """Return the distance of a code that differs in all bits."""
        by = self._finer or self._ranked
        return self.index.bits if by is None else float(by.rule.farthest(_asked(query, by.rule))[0])

    def _nearest(self, query: Query, wanted: _Wanted, number: int) -> tuple[Any, Ids]:
        if number == 0:
            return np.empty(0, np.int32), np.empty(0, np.int64)
        if wanted.radius is None:
            return _search(self._finer or self._ranked or self.index, query, number, wanted.among)
        by = self._ranked or self.index
        asked = _asked(query, getattr(by, "rule", None))
        _, distances, ids = by.range_search(asked, wanted.radius, filter=wanted.among)
        if self._finer is not None and len(ids):
            distances, ids = _search(self._finer, query, len(ids), ids)
        return distances[:number], ids[:number]

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


def _search(by: Index | Ranked, query: Query, number: int, among: Ids | None) -> tuple[Any, Ids]:
    distances, ids = by.search(_asked(query, getattr(by, "rule", None)), number, filter=among)
    return distances[0], ids[0]


def _asked(query: Query, rule: Rule | None) -> npt.NDArray[Any]:
    """Return a query as a rule takes it; None takes codes."""
    assert query.code is not None
    if rule is None or rule.takes == "codes":
        return query.code[None]
    if query.margins is not None:
        return query.margins[None]
    return np.where(unpack(query.code[None], rule.bits), 1.0, -1.0)
