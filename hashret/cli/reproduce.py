"""``hashret reproduce``: published tables, measured again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .printing import print_table, raise_failures, shown_steps

group = typer.Typer(name="reproduce", help="Measure published tables again.", no_args_is_help=True)


@group.command("fashion-mnist")
def fashion_mnist(
    out: Annotated[Path, typer.Option(help="Folder for results; an interrupted run goes on.")] = (
        Path("hashret-reproduce")
    ),
    quick: Annotated[
        bool, typer.Option("--quick", help="One epoch, and the packaged sample: a smoke run.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="LSH, DSH, kNN or classifier; may be repeated.")
    ] = None,
    protocol: Annotated[
        list[str] | None, typer.Option(help="fmnist-seed or fmnist-full; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    data: Annotated[Path | None, typer.Option(help="Folder of Fashion-MNIST.")] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch Fashion-MNIST if it is nowhere.")
    ] = False,
) -> None:
    """Measure the LSH-against-DSH study's tables again, every cell."""
    from ..experiments.study.fashion_mnist import run_study

    study = run_study(
        out,
        only=only,
        protocols=protocol,
        seed=seed,
        quick=quick,
        data=data,
        download=download,
        steps=shown_steps(),
    )
    for table in study.tables:
        print_table(table.title, table.columns, table.rows)
        typer.echo(table.note + "\n")
    for path in study.files:
        typer.echo(str(path))
    raise_failures(study.failures)
