"""``/api/groups`` and ``/api/decisions``: duplicates, and what a person says of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, Field

from ...collection import Collection
from ...collection.duplicates import decide, decided, time_of, withdraw
from ..answers import Decided, Decisions, DecisionShown, Groups, GroupShown
from ..groups import Choice, Cursor, Entry, GroupTable
from ..site import Current, Site

__all__ = ["Tier", "router"]

router = APIRouter(prefix="/api", tags=["duplicates"])

Id = Annotated[int, Path(ge=1, lt=2**63)]
Tier = Literal["byte-equal", "pixel-equal", "near"]
_Number = Annotated[int, Field(ge=1, lt=2**63)]


class Decision(BaseModel):
    """What is said of images; `group` is the number of the one that is closed by it.

    To prefer an image does not close its group: it is made anew, with that one first.
    """

    kind: Literal["not duplicates", "keep", "prefer"]
    images: Annotated[list[_Number], Field(min_length=1, max_length=10_000)]
    group: _Number | None = None


@router.get("/groups")
async def groups(
    site: Current,
    after: Annotated[str | None, Query(pattern=r"^\d{1,18}-\d{1,18}$")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    tier: Annotated[Tier | None, Query(description="No file less equal than this.")] = None,
    folder: Annotated[
        str | None, Query(max_length=500, description="What a folder's name has in it.")
    ] = None,
) -> Groups:
    """List open groups of duplicates, those that free the most first, by pages."""
    saved, _, number = (after or "").partition("-")
    cursor = (int(saved), int(number)) if after else None
    choice = Choice(tier, folder)
    return await site.read(lambda collection: _page(site, collection, limit, cursor, choice))


@router.get("/groups/{number}")
async def group(site: Current, number: Id) -> GroupShown:
    """Return a group, decided or not."""
    entry = await site.read(lambda collection: site.groups.table.one(number))
    if entry is None:
        raise HTTPException(404, "no group has this number")
    return _shown(entry)


@router.post("/decisions", status_code=201)
async def make(site: Current, decision: Decision) -> Decided:
    """Remember that images are no duplicates, that all of them stay, or that one is the best."""

    def work(collection: Collection) -> Decided:
        with site.groups.changing(collection) as table:
            images = [] if decision.group is None else _images(table, decision.group)
            if decision.group is not None and not _is_of(decision, images):
                # Groups that are found anew have other numbers.
                raise HTTPException(409, "the group has changed; load the page again")
            made = decide(collection.catalogue, decision.kind, decision.images)
            if decision.kind == "prefer":
                site.groups.regroup(collection, decision.group, images)
            elif decision.group is not None:
                time_ns = time_of(collection.catalogue, made)
                assert time_ns is not None
                table.close_groups([decision.group], time_ns)
            return Decided(decision=made)

    return await site.change(work)


@router.delete("/decisions/{id}")
async def take_back(site: Current, id: Id) -> Decided:
    """Take a decision back, and those made together with it; their groups are open again."""

    def work(collection: Collection) -> Decided:
        with site.groups.changing(collection) as table:
            time_ns = time_of(collection.catalogue, id)
            if time_ns is None:
                raise HTTPException(404, "there is no such decision")
            table.reopen(time_ns, withdraw(collection.catalogue, time_ns))
            return Decided(decision=id)

    return await site.change(work)


@router.get("/decisions")
async def decisions(
    site: Current,
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Decisions:
    """List decisions, the latest first, by pages."""

    def work(collection: Collection) -> Decisions:
        rows = decided(collection.catalogue, limit, before)
        shown = [
            DecisionShown(
                decision=row.id,
                kind=row.kind,
                time=datetime.fromtimestamp(row.time_ns / 1e9, UTC).isoformat(timespec="seconds"),
                count=row.size,
                images=list(row.images),
            )
            for row in rows
        ]
        return Decisions(decisions=shown, before=rows[-1].id if len(rows) == limit else None)

    return await site.read(work)


def _page(
    site: Site, collection: Collection, limit: int, after: Cursor | None, choice: Choice
) -> Groups:
    state = site.groups.catch_up(collection)
    table = site.groups.table
    entries = table.page(limit, after, choice)
    last = entries[-1] if len(entries) == limit else None
    opened, saved, known = table.counts(choice)
    return Groups(
        groups=[_shown(entry) for entry in entries],
        after=None if last is None else f"{last.saved}-{last.number}",
        open=opened,
        saved=saved,
        known=known,
        generation=table.fact("generation"),
        **state._asdict(),
    )


def _is_of(decision: Decision, images: list[int]) -> bool:
    """Return whether a decision is on all images of a group, or prefers one of them."""
    said = set(decision.images)
    return said <= set(images) if decision.kind == "prefer" else said == set(images)


def _images(table: GroupTable, group: int) -> list[int]:
    entry = table.one(group)
    return [] if entry is None else entry.images


def _shown(entry: Entry) -> GroupShown:
    return GroupShown(number=entry.number, saved=entry.saved, files=entry.files, **entry.body)
