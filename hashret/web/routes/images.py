"""``/api/images``: what is known of images; ``/images``: the pictures themselves."""

from __future__ import annotations

import json
import os
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Header, HTTPException, Path, Query, Response

from ...collection import Collection
from ...collection.images import Image, images_of
from ...collection.labels import values_of
from ...types import Ids
from ..answers import Details, Images, Place, shown_image, shown_path
from ..site import Current, Site

__all__ = ["router"]

router = APIRouter(tags=["images"])

Id = Annotated[int, Path(ge=1, lt=2**63)]
# Asked for again each time, and answered without the picture if the client has it: at the same
# address there may be another collection, in which an id is of another image.
_ASK_AGAIN = "private, no-cache"


@router.get("/api/images")
async def listed(
    site: Current,
    after: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    where: Annotated[str | None, Query(max_length=2000)] = None,
) -> Images:
    """List images, those that came last first, by pages."""
    start = 2**63 - 1 if after is None else after
    return await site.read(lambda collection: _page(site, collection, start, limit, where))


@router.get("/api/images/{id}")
async def details(site: Current, id: Id) -> Details:
    """Return all that is known of an image."""
    return await site.read(lambda collection: _details(collection, id))


@router.get(
    "/images/{id}/{size}",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, 304: {"description": "The client has it."}},
)
async def picture(
    site: Current,
    id: Id,
    size: Literal["thumbnail", "picture"],
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """Return an image as a JPEG that is made of its pixels."""
    image = await site.read(lambda collection: _one(collection, id))
    tag = f'"{site.pictures.name_of(image, size)}"'
    headers = {"cache-control": _ASK_AGAIN, "etag": tag}
    if tag in (one.strip().removeprefix("W/") for one in if_none_match.split(",")):
        return Response(status_code=304, headers=headers)
    data = await site.pictures.jpeg(image, size)
    if data is None:
        raise HTTPException(404, "no file of this image can be read now")
    return Response(data, media_type="image/jpeg", headers=headers)


def _one(collection: Collection, id: int) -> Image:
    image = next(images_of(collection.catalogue, [id]), None)
    if image is None:
        raise HTTPException(404, "no image of the collection has this id")
    return image


def _page(site: Site, collection: Collection, start: int, limit: int, where: str | None) -> Images:
    if where:
        ids = _latest_of(collection, site.matching(collection, where), start, limit)
    else:
        ids = _ids(collection, "id < ? ORDER BY id DESC LIMIT ?", [start, limit])
    roots = [os.fsencode(root) for root in collection.roots]
    found = [shown_image(image, roots) for image in images_of(collection.catalogue, ids)]
    return Images(images=found[::-1], after=ids[-1] if len(ids) == limit else None)


def _latest_of(collection: Collection, among: Ids, start: int, limit: int) -> list[int]:
    """Return the latest of some images, which are ascending, before one; only present ones."""
    found: list[int] = []
    until = int(np.searchsorted(among, start))
    while until > 0 and len(found) < limit:
        chunk = json.dumps(among[max(0, until - limit) : until].tolist())
        ids = "id IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT ?"
        found += _ids(collection, ids, [chunk, limit - len(found)])
        until -= limit
    return found


def _ids(collection: Collection, condition: str, values: list[object]) -> list[int]:
    present = (
        "EXISTS (SELECT 1 FROM files WHERE files.content = images.content AND state = 'present')"
    )
    rows = collection.catalogue.execute(
        f"SELECT id FROM images WHERE {present} AND {condition}", values
    )
    return [id for (id,) in rows]


def _details(collection: Collection, id: int) -> Details:
    image = _one(collection, id)
    roots = [os.fsencode(root) for root in collection.roots]
    places = []
    for file in image.files:
        folder, name = shown_path(file.path, roots)
        places.append(
            Place(folder=folder, name=name, bytes=file.size, state=file.state, reason=file.reason)
        )
    return Details(
        **shown_image(image, roots).model_dump(),
        format=image.format,
        content=image.content.hex(),
        places=places,
        labels=values_of(collection.catalogue, [id]).get(id, {}),
    )
