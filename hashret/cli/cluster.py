"""``hashret cluster``: what a Ray cluster serves."""

from __future__ import annotations

from typing import Any

import typer

from .options import AsJson, RayAddress
from .output import many, print_json, print_line, shown

__all__ = ["group", "status"]

group = typer.Typer(
    name="cluster",
    help="Look at the parts of indexes that a Ray cluster serves.",
    no_args_is_help=True,
)


@group.callback()
def _group() -> None:
    """Look at the parts of indexes that a Ray cluster serves."""


@group.command("status")
def status(ray: RayAddress = None, json: AsJson = False) -> None:
    """List shards, their replicas and nodes, bytes, and queries a second.

    Examples:

      hashret cluster status

      hashret cluster status --ray 10.0.0.5:6379 --json
    """
    from ..cluster.replicas import served

    rows = sorted(served(ray), key=lambda row: (row["location"], row["shard"], row["node"]))
    if json:
        for row in rows:
            print_json(row)
        return
    if not rows:
        print_line("No index is served; hashret serve --ray does so.")
        return
    for location in sorted({row["location"] for row in rows} - {""}):
        _tell(location, [row for row in rows if row["location"] == location])
    for row in rows:
        if not row["location"]:
            print_line(f"{row['shard']}: {row['reason']}")


def _tell(location: str, rows: list[dict[str, Any]]) -> None:
    # Each is counted once, though several serve it.
    sizes = {row["shard"]: (row["codes"], row["bytes"]) for row in rows}
    codes, size = (sum(each) for each in zip(*sizes.values(), strict=True))
    rate = sum(row["calls_per_second"] for row in rows)
    nodes = len({row["node"] for row in rows})
    print_line(
        f"{shown(location)}: {many(codes, 'code')} in {many(len(sizes), 'shard')}, "
        f"{size / 1e6:,.1f} MB, {many(len(rows), 'replica')} on {many(nodes, 'node')}, "
        f"{rate:,.1f} searches of shards a second"
    )
    for row in rows:
        mean = f" of {1e3 * row['seconds'] / row['calls']:,.1f} ms" if row.get("seconds") else ""
        print_line(
            f"  {row['shard']}  node {row['node'][:8]}  process {row['pid']}  "
            f"{row['bytes'] / 1e6:,.1f} MB  {row['calls']:,} calls{mean}"
            + (f"  {shown(row['reason'])}" if row["reason"] else "")
        )
