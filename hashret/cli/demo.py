"""``hashret demo``: the whole way on the images in the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .printing import print_table, shown_steps


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("hashret-demo"),
    seed: Annotated[int, typer.Option(help="Seed of training and of the queries shown.")] = 0,
    queries: Annotated[int, typer.Option(help="How many queries to show.")] = 10,
) -> None:
    """Train DSH, fit LSH, index, search and show, on real images in the package."""
    from ..experiments.demo import COLUMNS, run_demo

    made = run_demo(out, seed, queries, shown_steps())
    print_table("Similar clothes by binary hash", COLUMNS, made.rows)
    typer.echo(f"contact sheet: {made.sheet}\ngallery:       {made.page}")
