"""Groups that do not chain: a keeper, and what lies within the radius of the keeper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...index import Index
from ...types import Ids
from .decisions import Decisions
from .mirrored import transformed
from .pool import Pool
from .rules import Rules

__all__ = ["Near", "group"]

# As many keepers are looked for at once, fewer where they have many near: hits take 12 bytes each.
_MOST = 512
_HITS = 2**20


class Near(NamedTuple):
    """A member of a group: its place in the pool, and how it differs from its keeper."""

    place: int
    distance: int
    transform: int


def group(
    pool: Pool,
    bits: int,
    rules: Rules,
    decisions: Decisions,
    on_step: Callable[[int, int], object] | None = None,
    has_frames: Callable[[int], bool] = lambda place: False,
) -> Iterator[tuple[int, list[Near]]]:
    """Find for each image, the best first, what is near to it and in no group yet.

    Parameters
    ----------
    pool : Pool
    bits : int
        Of a code.
    rules : Rules
    decisions : Decisions
    on_step : callable, optional
        Given how many images are done, and how many there are.
    has_frames : callable
        Tells whether the image at a place holds several pictures: then nothing is near to it. Asked
        only where something would be.

    Yields
    ------
    keeper : int
        Its place in the pool.
    members : list of Near
        The nearest first; may be empty for an image that has several files.
    """
    index = _index_of(pool, bits)
    indexed = np.concatenate([pool.coded, pool.bordered])
    fixed = pool.kept | np.isin(pool.ids, [*decisions.kept])
    taken = np.zeros(len(pool.ids), bool)
    count, start = _MOST, 0
    while start < len(pool.ids):
        block = np.arange(start, min(start + count, len(pool.ids)))
        start = int(block[-1]) + 1
        asked = block[~taken[block]]
        near, hits = _near(index, pool, asked, rules)
        done = [*block.tolist()]
        count = max(1, count // 4) if hits > _HITS else min(_MOST, 2 * count)
        for place in block.tolist():
            if taken[place]:
                continue
            members = []
            for one in _of(near, pool, place):
                if (
                    one.place > place
                    and not taken[one.place]
                    and not fixed[one.place]
                    and _in_scope(pool, place, one.place, rules.scope)
                    and not decisions.keeps_apart(pool.ids[place], pool.ids[one.place])
                    and not has_frames(place)
                    and not has_frames(one.place)
                ):
                    members.append(one)
                    taken[one.place] = True
                    done.append(one.place)
            if members or pool.copies[place]:
                yield place, members
        _drop(index, indexed, done)
        if on_step is not None:
            on_step(start, len(pool.ids))


def _drop(index: Index, indexed: npt.NDArray[np.bool_], places: list[int]) -> None:
    """Remove the codes of places that can be in no group any more: the rest is searched faster."""
    codes = np.unique(np.array(places)) + np.array([[0], [len(indexed) // 2]])
    gone = codes[indexed[codes]]
    if len(gone):
        indexed[gone] = False
        index.remove(gone)


def _index_of(pool: Pool, bits: int) -> Index:
    """Index the codes by place; those within borders by the place behind all others."""
    index = Index(bits)
    for codes, there, after in (
        (pool.codes, pool.coded, 0),
        (pool.inner, pool.bordered, len(pool.ids)),
    ):
        places = np.flatnonzero(there)
        if len(places):
            index.add(codes[places], ids=places + after)
    return index


def _near(
    index: Index, pool: Pool, asked: Ids, rules: Rules
) -> tuple[dict[bytes, list[Near]], int]:
    """Return by code what is near to it, and how many that are."""
    codes = np.concatenate(
        [pool.codes[asked[pool.coded[asked]]], pool.inner[asked[pool.bordered[asked]]]]
    )
    if not len(codes):
        return {}, 0
    unique = np.unique(codes, axis=0)
    turned = transformed(unique) if rules.transforms else unique[None]
    queries = turned.reshape(-1, unique.shape[1])
    lims, distances, ids = index.range_search(queries, rules.radius)
    places = ids % len(pool.ids)
    found: dict[bytes, list[Near]] = {}
    for row, code in enumerate(unique):
        near: list[Near] = []
        for number in range(len(turned)):
            query = number * len(unique) + row
            part = slice(int(lims[query]), int(lims[query + 1]))
            pairs = zip(places[part].tolist(), distances[part].tolist(), strict=True)
            near += [Near(place, distance, number) for place, distance in pairs]
        if len(near) > 1:
            found[code.tobytes()] = near
    return found, len(ids)


def _of(near: dict[bytes, list[Near]], pool: Pool, place: int) -> list[Near]:
    """Return what is near to an image by any of its codes, each once, the nearest first."""
    best: dict[int, Near] = {}
    for codes, there in ((pool.codes, pool.coded), (pool.inner, pool.bordered)):
        for one in near.get(codes[place].tobytes(), ()) if there[place] else ():
            known = best.get(one.place)
            if known is None or one[1:] < known[1:]:
                best[one.place] = one
    return sorted(best.values(), key=lambda one: one[1:] + one[:1])


def _in_scope(pool: Pool, one: int, other: int, scope: str) -> bool:
    return scope == "all" or (scope == "within") == bool(pool.roots[one] == pool.roots[other])
