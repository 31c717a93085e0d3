"""Groups against a slow and obvious way to make them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hashret.collection.duplicates import grouping
from hashret.collection.duplicates.decisions import Decisions
from hashret.collection.duplicates.grouping import group
from hashret.collection.duplicates.pool import Pool
from hashret.collection.duplicates.rules import Rules


def pool_of(codes, coded, roots, kept, copies, inner=None, bordered=None) -> Pool:
    count = len(codes)
    inner, bordered = (np.zeros(count) if one is None else one for one in (inner, bordered))
    return Pool(
        np.arange(count, dtype=np.int64) * 3 + 1,
        np.array(codes, np.uint8).reshape(count, 1),
        np.array(coded, bool),
        np.array(inner, np.uint8).reshape(count, 1),
        np.array(bordered, bool),
        np.array(roots, np.int64),
        np.ones((count, 2), np.int32),
        np.array(kept, bool),
        np.array(copies, bool),
        np.zeros(count, bool),
    )


def distance_of(pool, one, other):
    """By the nearest of their codes; None if one of them has none that means something."""
    distances = [
        bin(int(mine[one, 0]) ^ int(others[other, 0])).count("1")
        for mine, has in ((pool.codes, pool.coded), (pool.inner, pool.bordered))
        for others, have in ((pool.codes, pool.coded), (pool.inner, pool.bordered))
        if has[one] and have[other]
    ]
    return min(distances, default=None)


def oracle(pool, rules, decisions):
    taken, found = set(), {}
    for keeper in range(len(pool.ids)):
        if keeper in taken:
            continue
        members = set()
        for other in range(keeper + 1, len(pool.ids)):
            distance = distance_of(pool, keeper, other)
            same = pool.roots[keeper] == pool.roots[other]
            if (
                other not in taken
                and distance is not None
                and distance <= rules.radius
                and not pool.kept[other]
                and int(pool.ids[other]) not in decisions.kept
                and not decisions.keeps_apart(int(pool.ids[keeper]), int(pool.ids[other]))
                and (rules.scope == "all" or same == (rules.scope == "within"))
            ):
                members.add((other, distance))
        taken |= {other for other, _ in members}
        if members or pool.copies[keeper]:
            found[keeper] = members
    return found


flags = st.integers(0, 7).map(lambda number: number == 0)
rows = st.lists(
    st.tuples(
        st.integers(0, 255),
        flags.map(lambda one: not one),
        st.integers(1, 2),
        flags,
        flags,
        st.integers(0, 255),
        flags,
    ),
    max_size=30,
)
sets = st.lists(st.sets(st.integers(0, 29), min_size=2, max_size=4), max_size=3)


@settings(deadline=None, max_examples=150)
@given(
    rows,
    st.integers(0, 4),
    st.sampled_from(["all", "within", "across"]),
    sets,
    st.sets(st.integers(0, 29), max_size=2),
    st.sampled_from([1, 3, 512]),
)
def test_groups_are_those_of_the_oracle(rows, radius, scope, apart, kept, block):
    columns = [*zip(*rows, strict=True)] or [()] * 7
    pool = pool_of(*columns)
    rules = Rules(radius=radius, scope=scope)
    decided: dict[int, set[int]] = {}
    for number, images in enumerate(apart):
        for image in images:
            decided.setdefault(3 * image + 1, set()).add(number)
    decisions = Decisions(decided, {3 * image + 1 for image in kept}, {})
    before, grouping._MOST = grouping._MOST, block
    try:
        found = {
            keeper: {(one.place, one.distance) for one in members}
            for keeper, members in group(pool, 8, rules, decisions)
        }
    finally:
        grouping._MOST = before
    assert found == oracle(pool, rules, decisions)


def test_many_equal_codes_take_little_memory():
    import tracemalloc

    count = 20_000
    codes = np.zeros((count, 32), np.uint8)
    pool = pool_of(np.zeros(count), np.ones(count), np.ones(count), np.zeros(count), codes[:, 0])
    pool = pool._replace(codes=codes, inner=codes)
    tracemalloc.start()
    ((keeper, members),) = group(pool, 256, Rules(), Decisions({}, set(), {}))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (keeper, len(members)) == (0, count - 1)
    assert most < 600 * count
