"""The end of docs/results.md: settings that were tried on held-out images, and what was not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from results_words import CHOSEN, DECIDED, SEEN

from hashret.experiments.benchmark.commands import changes_since, commands
from hashret.experiments.benchmark.findings import title
from hashret.experiments.benchmark.rows import read_rows
from hashret.experiments.benchmark.tables import (
    Column,
    Group,
    average,
    first,
    group_settings,
    mean,
    table_of,
)

TRIED = (
    Column("data, vectors", lambda g: ", ".join(filter(None, (g["dataset"], g["features"])))),
    Column("method", title),
    Column("bits", first("bits", "d")),
    Column("set", lambda group: words_of(changes_since(group))),
    Column("seeds", lambda group: str(len(group.rows))),
    Column("epochs", average("epochs", ",.0f")),
    Column("mAP@10 (min)", mean("map10_mink")),
    Column("mAP@all", mean("map_all")),
)


def words_of(changes: dict[str, tuple[Any, Any]]) -> str:
    return ", ".join(f"{name} {old} (used: {new})" for name, (old, new) in changes.items()) or "-"


# What a method is a trial of, where it is not an option of the same.
TRIAL_OF = {"dhn-bounded": "dhn", "lsh-gaussian": "lsh-orthogonal"}
NO_CHANGES = ("images", "tables")


def gains(groups: Sequence[Group]) -> Column:
    """Return a column: how far mAP@all lies above that of what is used, trained as long."""

    def like(group: Group, name: str) -> tuple[Any, ...]:
        length = [changes_since(group).get(key) for key in NO_CHANGES]
        return (group["dataset"], group["features"], name, group["bits"], *map(str, length))

    used = {
        like(group, group["method"]): group
        for group in groups
        if not changes_since(group).keys() - {*NO_CHANGES} and group["method"] not in TRIAL_OF
    }

    def cell(group: Group) -> str:
        base = used.get(like(group, TRIAL_OF.get(group["method"], group["method"])))
        if base is None or base is group:
            return "-"
        return f"{(group.average('map_all') or 0) - (base.average('map_all') or 0):+.3f}"

    return Column("above what is used", cell)


def trials(path: Path) -> list[str]:
    """Return what was tried on held-out images, and what was not."""
    groups = group_settings(read_rows(path))
    groups.sort(key=lambda g: (g["dataset"], g["features"] or "", g["method"], g["bits"]))
    table = table_of(groups, [*TRIED, gains(groups)]).markdown()
    measured = ["```sh", *commands(groups, trials=True), "```", "", *table] if groups else []
    return [CHOSEN, *measured, DECIDED, SEEN]
