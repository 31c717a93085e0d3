"""``hashret eval``: scores of anybody's codes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .printing import print_table


def evaluate(
    codes: Annotated[Path, typer.Option(help="Of the database: .npy, or .npz with codes.")],
    labels: Annotated[
        Path | None, typer.Option(help=".npy, or .npz with labels; by default the codes' .npz.")
    ] = None,
    query_codes: Annotated[
        Path | None, typer.Option(help="Likewise, of the queries; in .npz: query_codes.")
    ] = None,
    query_labels: Annotated[Path | None, typer.Option(help="Likewise: query_labels.")] = None,
    bits: Annotated[int | None, typer.Option(help="Length of a code, if not all of it.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for eval.json and the pictures.")] = (
        Path("hashret-eval")
    ),
    plane: Annotated[str, typer.Option(help="Map of the codes: pca or tsne.")] = "pca",
    exclude: Annotated[
        str | None,
        typer.Option(
            help="What queries must not find: self, where they are the database, or a file with "
            "the row of each, -1 for none; in .npz: exclude."
        ),
    ] = None,
) -> None:
    """Score any codes by any labels: a table, JSON and pictures."""
    from ..experiments.evaluate import COLUMNS, evaluate_files

    made = evaluate_files(
        codes,
        labels,
        query_codes,
        query_labels,
        bits,
        out=out,
        plane=plane,
        exclude=exclude,
    )
    for note in made.notes:
        typer.echo(f"hashret: {note}", err=True)
    print_table(f"{codes.name}, ties in random order", COLUMNS, made.rows)
    for path in made.files:
        typer.echo(str(path))
