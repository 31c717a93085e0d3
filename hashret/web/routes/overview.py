"""``/api/info``, ``/api/skipped``, ``/api/folders``, ``/api/map``: the collection as a whole."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from ... import __version__
from ...collection import Collection
from ...collection.encoders import takes_text
from ...collection.labels import keys_of
from ...collection.searching import default_encoder
from ...collection.settings import updated_at
from ...images.decoding import printable
from ..answers import EncoderShown, Info, RootShown, Skip, Skips, shown_path
from ..site import Current, Site

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["collection"])


class FolderShown(BaseModel):
    """A folder; `filter` is what searches only in it."""

    name: str
    filter: str
    files: int
    bytes: int
    first: str | None
    last: str | None
    covers: list[int]


@router.get("/info")
async def info(site: Current) -> Info:
    """Return what there is in the collection."""
    found = await site.read(lambda collection: _info(site, collection))
    site.metrics.images.set(found.images)
    return found


@router.get("/skipped")
async def skipped(
    site: Current,
    state: Literal["skipped", "missing"] = "skipped",
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Skips:
    """List files that cannot be read, or are missing, with the reason, by pages."""
    return await site.read(lambda collection: _skips(collection, state, after, limit))


@router.get("/folders")
async def folders(site: Current) -> list[FolderShown]:
    """List the folders, the latest first."""
    rows = await site.read(site.folders.get)
    return [FolderShown(**row) for row in rows]


@router.get(
    "/map",
    response_class=Response,
    responses={
        200: {"content": {"application/octet-stream": {}}},
        202: {"description": "It is being made."},
    },
)
async def map_(site: Current) -> Response:
    """Return the map: little-endian ``uint32 id, uint16 x, uint16 y`` for each image."""
    made = await site.read(site.maps.points)
    if made is None:
        if site.maps.error is not None:
            return Response(status_code=500)
        return Response(status_code=202, headers={"retry-after": "2"})
    return Response(made, media_type="application/octet-stream")


def _info(site: Site, collection: Collection) -> Info:
    # Who asks this opens the page: now they will be looked at.
    site.make_ahead(collection)
    catalogue = collection.catalogue
    images, files = site.counts(collection)
    at = updated_at(catalogue)
    encoders = [
        EncoderShown(name=name, bits=row.bits, texts=takes_text(row))
        for name, row in collection.encoders.items()
    ]
    return Info(
        images=images,
        files=files,
        encoders=encoders,
        default=default_encoder(collection) if encoders else None,
        roots=[
            RootShown(name=printable(os.path.basename(root)), reachable=os.path.isdir(root))
            for root in collection.roots
        ],
        updated=None if at is None else _day(at),
        version=__version__,
        keys=[key.key for key in keys_of(catalogue)],
    )


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _skips(collection: Collection, state: str, after: int, limit: int) -> Skips:
    catalogue = collection.catalogue
    roots = [os.fsencode(root) for root in collection.roots]
    rows = catalogue.execute(
        "SELECT files.id, roots.path, files.path, reason FROM files JOIN roots "
        "ON roots.id = root WHERE state = ? AND files.id > ? ORDER BY files.id LIMIT ?",
        (state, after, limit),
    ).fetchall()
    shown = []
    for _, root, path, reason in rows:
        whole = os.path.normpath(os.path.join(os.fsencode(collection.store), root, path))
        folder, name = shown_path(whole, roots)
        shown.append(Skip(folder=folder, name=name, reason=printable(reason)))
    (count,) = catalogue.execute("SELECT count(*) FROM files WHERE state = ?", (state,)).fetchone()
    return Skips(files=shown, after=rows[-1][0] if len(rows) == limit else None, count=count)
