"""``/api/bulk``: many groups of duplicates decided on at once, with progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from ..bulk import BulkKind, Seen, Task
from ..groups import Choice
from ..site import Current, Site
from .duplicates import Tier

__all__ = ["router"]

router = APIRouter(prefix="/api/bulk", tags=["duplicates"])

_LINES = "application/x-ndjson"
# Seconds between two lines of progress.
_PAUSE = 0.25


class BulkAsked(BaseModel):
    """What is to be done with all open groups that `tier` and `folder` choose.

    Where `generation` and `open` of the groups that were looked at are given, nothing is done if
    there are others by now.
    """

    kind: BulkKind
    tier: Tier | None = None
    folder: Annotated[str | None, Field(max_length=500)] = None
    generation: Annotated[str | None, Field(max_length=100)] = None
    open: Annotated[int | None, Field(ge=0, lt=2**63)] = None


class BulkShown(BaseModel):
    """How far it is: `done` of `total` groups; `files` that went or came back, and `left`."""

    kind: BulkKind
    tier: Tier | None
    folder: str | None
    state: Literal["running", "done", "stopped", "failed", "taken back"]
    done: int
    total: int
    files: int
    left: int
    undoing: bool
    reason: str | None


@router.post("", status_code=201)
async def start(site: Current, asked: BulkAsked) -> BulkShown:
    """Keep all of many groups, say that they are none, or move all but their keepers away."""
    choice = Choice(asked.tier, asked.folder)
    seen = Seen(asked.generation, asked.open)
    return _shown(await asyncio.to_thread(site.bulk.start, asked.kind, choice, seen))


@router.get("")
async def state(site: Current) -> BulkShown | None:
    """Tell how far it is, or how it ended; null if there was none yet."""
    return None if site.bulk.task is None else _shown(site.bulk.task)


@router.get(
    "/progress",
    response_class=StreamingResponse,
    responses={200: {"content": {_LINES: {"schema": {"type": "string"}}}}},
)
async def progress(site: Current) -> StreamingResponse:
    """Tell how far it is, a line of JSON at a time, until it ends; may be asked for again."""
    _task(site)
    return StreamingResponse(_lines(site), media_type=_LINES)


@router.post("/undo", status_code=201)
async def take_back(site: Current) -> BulkShown:
    """Take the last one back, all of it."""
    return _shown(await asyncio.to_thread(site.bulk.take_back))


@router.delete("")
async def stop(site: Current) -> BulkShown:
    """Let it go no further; what is done stays done."""
    site.bulk.stop()
    return _shown(_task(site))


async def _lines(site: Site) -> AsyncIterator[str]:
    while True:
        running = site.bulk.running
        yield _shown(_task(site)).model_dump_json() + "\n"
        if not running:
            return
        await asyncio.sleep(_PAUSE)


def _task(site: Site) -> Task:
    if site.bulk.task is None:
        raise HTTPException(404, "there was none yet")
    return site.bulk.task


def _shown(task: Task) -> BulkShown:
    return BulkShown.model_validate(task, from_attributes=True)
