"""``hashret eval``: scores of a collection's codes, or of anybody's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ParameterError
from .options import AsJson, Store
from .output import print_json, shown
from .printing import print_table


def evaluate(
    codes: Annotated[
        Path | None, typer.Option(help="Of the database: .npy, or .npz with codes.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help=".npy, or .npz with labels; by default the codes' .npz.")
    ] = None,
    query_codes: Annotated[
        Path | None, typer.Option(help="Likewise, of the queries; in .npz: query_codes.")
    ] = None,
    query_labels: Annotated[Path | None, typer.Option(help="Likewise: query_labels.")] = None,
    bits: Annotated[int | None, typer.Option(help="Length of a code, if not all of it.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for eval.json and the pictures; hashret-eval by default."),
    ] = None,
    plane: Annotated[str, typer.Option(help="Map of the codes: pca or tsne.")] = "pca",
    exclude: Annotated[
        str | None,
        typer.Option(
            help="What queries must not find: self, where they are the database, or a file with "
            "the row of each, -1 for none; in .npz: exclude."
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Score the collection's codes by its labels instead."),
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="With --label: whose codes; may be repeated."),
    ] = None,
    store: Store = None,
    json: AsJson = False,
) -> None:
    """Score a collection's codes by its labels; or any codes: a table, JSON and pictures.

    With --label a table is printed, and nothing written.

    Examples:

      hashret label --folders && hashret eval --label label

      hashret eval --codes codes.npz --out scores
    """
    if (codes is None) == (label is None):
        raise ParameterError("eval: expected --codes FILE or --label KEY, one of them")
    if codes is not None:
        folder = out or Path("hashret-eval")
        _evaluate_files(codes, labels, query_codes, query_labels, bits, folder, plane, exclude)
    elif label is not None:
        if any(one is not None for one in (labels, query_codes, query_labels, bits, out, exclude)):
            raise ParameterError("label: expected with --encoder, --store and --json only")
        _evaluate_collection(label, encoder or [], store, json)


def _evaluate_collection(label: str, encoders: list[str], store: Path | None, json: bool) -> None:
    from ..collection.opening import open_collection
    from ..collection.scoring import score_encoders

    with open_collection(store) as collection:
        scored = score_encoders(collection, label, tuple(encoders))
    if json:
        for one in scored:
            print_json(one._asdict())
        return
    columns = ("encoder", "bits", "images", "labels", "mAP", "P@10", "P@10 at random")
    rows = tuple(
        (
            *(one.encoder, str(one.bits), f"{one.images:,}", f"{one.labels:,}"),
            *(f"{one.map:.3f}", f"{one.precision:.3f}", f"{one.chance:.3f}"),
        )
        for one in scored
    )
    print_table(f"Each image among all others, by {shown(label)}", columns, rows)


def _evaluate_files(
    codes: Path,
    labels: Path | None,
    query_codes: Path | None,
    query_labels: Path | None,
    bits: int | None,
    out: Path,
    plane: str,
    exclude: str | None,
) -> None:
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
