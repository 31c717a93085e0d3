"""``/api/search``: the images most like one of the collection, a picture that is sent, or words."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request

from ...collection import Collection, queries
from ...collection.duplicates import RADIUS
from ...collection.searching import Result as Hit
from ...collection.searching import default_encoder, search
from ...images.reading import Read
from ..answers import Found, Result, shown_image
from ..site import Current, Site

__all__ = ["router"]

router = APIRouter(prefix="/api/search", tags=["search"])

_MOST = 30_000
_PERCEPTUAL = "perceptual"


class Wanted(NamedTuple):
    """What is wanted of a search."""

    encoder: str | None
    k: int
    radius: int | None
    where: str | None


def _wanted(
    encoder: Annotated[str | None, Query(max_length=200)] = None,
    k: Annotated[int, Query(ge=1, le=_MOST)] = 60,
    radius: Annotated[int | None, Query(ge=0, le=4096)] = None,
    where: Annotated[str | None, Query(max_length=2000)] = None,
) -> Wanted:
    return Wanted(encoder, k, radius, where or None)


Asked = Annotated[Wanted, Depends(_wanted)]


@router.get("/text")
async def by_text(
    site: Current, wanted: Asked, text: Annotated[str, Query(min_length=1, max_length=500)]
) -> Found:
    """Find images by words, where the encoder knows some."""
    return await site.encode(
        lambda collection: _found(
            site,
            collection,
            wanted,
            lambda name: queries.Query(text, site.text_encoder(collection, name).encode_text(text)),
        )
    )


@router.get("/{id}")
async def by_id(site: Current, wanted: Asked, id: Annotated[int, Path(ge=1, lt=2**63)]) -> Found:
    """Find the images most like one of the collection."""
    return await site.read(
        lambda collection: _found(
            site, collection, wanted, lambda name: queries.of_ids(collection, name, [id])[0]
        )
    )


@router.post("/upload", openapi_extra={"requestBody": {"content": {"image/*": {}}}})
async def by_upload(request: Request, site: Current, wanted: Asked) -> Found:
    """Find the images most like a picture, which is the body of the request."""
    with site.upload_room.enter():
        read = await _read(request, site)

    def query(collection: Collection, name: str) -> queries.Query:
        return queries.of_pixels(collection, name, read)

    return await site.encode(
        lambda collection: _found(site, collection, wanted, lambda name: query(collection, name))
    )


async def _read(request: Request, site: Site) -> Read:
    """Decode the body in a worker process, by way of a file that is gone afterwards."""
    handle, path = await asyncio.to_thread(tempfile.mkstemp, dir=site.folder.name)
    try:
        with os.fdopen(handle, "wb") as file:
            async for chunk in request.stream():
                await asyncio.to_thread(file.write, chunk)
        if not os.path.getsize(path):
            raise HTTPException(422, "expected a picture, got nothing")
        read = await asyncio.wrap_future(site.uploads.submit(os.fsencode(path)))
    finally:
        await asyncio.to_thread(os.remove, path)
    if not isinstance(read, Read):
        advice = "; a smaller copy of it will do" if "max_pixels" in read.reason else ""
        raise HTTPException(422, read.reason + advice)
    return read


def _found(
    site: Site, collection: Collection, wanted: Wanted, query: Callable[[str], queries.Query]
) -> Found:
    started = time.perf_counter()
    if not collection.encoders:
        raise HTTPException(409, "the collection has no codes yet: hashret index makes them")
    name = wanted.encoder or default_encoder(collection)
    # An unknown encoder is told first.
    row = collection.row(name)
    asked = query(name)
    if asked.reason is not None:
        raise HTTPException(404, asked.reason)
    ids = None if wanted.where is None else site.matching(collection, wanted.where, name)
    (answer,) = search(collection, name, [asked], k=wanted.k, radius=wanted.radius, ids=ids)
    roots = [os.fsencode(root) for root in collection.roots]
    ranked = collection.ranking(name) is not None
    why = partial(_why_ranked, answer.farthest) if ranked else partial(_why, name, row.bits)
    return Found(
        encoder=name,
        bits=row.bits,
        farthest=answer.farthest,
        results=[_result(hit, why(hit), roots) for hit in answer.results],
        seconds=time.perf_counter() - started,
    )


def _result(hit: Hit, why: str, roots: list[bytes]) -> Result:
    return Result(
        **shown_image(hit.image, roots).model_dump(),
        distance=hit.distance,
        same=hit.same,
        why="the picture itself" if hit.same else why,
    )


def _why_ranked(farthest: float, hit: Hit) -> str:
    return f"distance {hit.distance:.4g}, of {farthest:.4g} where all bits differ"


def _why(name: str, bits: int, hit: Hit) -> str:
    differ = f"{hit.distance:g} of {bits} bits differ"
    if name == _PERCEPTUAL and hit.distance <= RADIUS:
        return f"looks like a copy: {differ}"
    return differ
