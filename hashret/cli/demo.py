"""``hashret demo``: the whole way on images that come with the package."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .printing import print_table, shown_steps

if TYPE_CHECKING:
    from ..experiments.demo import Tour


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("hashret-demo"),
    seed: Annotated[int, typer.Option(help="Seed of training and of the queries shown.")] = 0,
    queries: Annotated[int, typer.Option(help="How many queries to show.")] = 10,
) -> None:
    """Show what hashret does, on pictures that come with it: no data, no network.

    A folder of photographs is indexed, searched and looked through for copies; and codes of
    clothes, learned (DSH) and drawn at random (LSH), are compared.
    """
    from ..experiments.demo import COLUMNS, run_demo, run_tour

    steps = shown_steps()
    made = run_demo(out, seed, queries, steps)
    tour = run_tour(out, steps)
    print_table("Similar clothes by binary hash", COLUMNS, made.rows)
    typer.echo(f"contact sheet: {made.sheet}\ngallery:       {made.page}")
    typer.echo(f"a search:      {tour.answers}\nduplicates:    {tour.duplicates}")
    typer.echo(where_next(tour))


def where_next(tour: Tour) -> str:
    """Return what can be tried now; the last line opens the page."""
    folder, query = shlex.quote(str(tour.folder)), shlex.quote(str(tour.queries[0].resolve()))
    return (
        f"\n{tour.images} images in {folder} are searchable, {tour.groups} have copies. Try there:"
        f"\n  cd {folder}\n  hashret search {query}\n  hashret dedup"
        f"\n\nTo look at them in a browser, from here:\n  hashret serve --store {folder}"
    )
