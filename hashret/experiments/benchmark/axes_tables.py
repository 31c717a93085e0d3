"""Rows of two axes as tables: a line a method and ranking rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...methods import TwoPart, method
from .rows import Row
from .tables import Column, Group, average, bounds, first, group_rows, mean

__all__ = ["COLUMNS", "by_rule", "flattened", "is_ours"]

DATABASES = ("trained", "untrained")


def flattened(row: Row, rule: str) -> Row:
    """Return a row with the figures of one rule beside its other fields.

    Those of each database as ``trained_map_all`` and so on, those of copies as ``copies_10``,
    means over the families, and ``copies_10_crop`` and so on.
    """
    flat = {key: value for key, value in row.items() if key not in ("axes", "copies")}
    for name in DATABASES:
        flat |= {f"{name}_{key}": value for key, value in row["axes"][rule][name].items()}
    families = row["copies"][rule]
    for depth in next(iter(families.values())):
        own = {f"copies_{depth}_{name}": found[depth] for name, found in families.items()}
        flat |= own | {f"copies_{depth}": float(np.mean(list(own.values())))}
    return flat | {"rule": rule}


def by_rule(rows: Sequence[Row]) -> list[Group]:
    """Gather rows that differ by seed only, rule by rule, methods in the order they first came.

    Examples
    --------
    >>> by_rule([])
    []
    """
    flat = [flattened(row, rule) for row in rows for rule in row["axes"]]
    groups = [
        group
        for rule in dict.fromkeys(row["rule"] for row in flat)
        for group in group_rows([row for row in flat if row["rule"] == rule])
    ]
    order = list(dict.fromkeys(row["method"] for row in rows))
    return sorted(groups, key=lambda group: order.index(group["method"]))


def is_ours(group: Group) -> bool:
    """Tell whether a group's method has two parts."""
    return isinstance(method(group["method"]), TwoPart)


COLUMNS = (
    Column("method", first("method")),
    Column("bits", first("bits", "d")),
    Column("protocol", first("protocol")),
    Column("rule", first("rule")),
    Column("seeds", lambda group: str(len(group.rows))),
    Column("mAP@all, trained on", mean("trained_map_all")),
    Column("mAP@all, not", mean("untrained_map_all")),
    Column("bounds", bounds("untrained_map_all")),
    Column("mAP@10 (min), not", average("untrained_map10_mink")),
    Column("within class, not", mean("untrained_within")),
    Column("share", average("untrained_share", ".2f")),
    Column("copies in 10", mean("copies_10")),
    Column("distinct codes", average("distinct_codes", ",.0f")),
    Column("bucket", average("bucket_length", ",.1f")),
    Column("compared", average("candidates", ",.0f")),
    Column("query µs", average("query_microseconds", ",.0f")),
)
