"""``hashret export``: the codes of a collection for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ParameterError
from .options import AsJson, Quiet, Store
from .output import print_json, print_line, shown

__all__ = ["export"]


def export(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file to write; of lancedb the folder.")
    ],
    format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="npy, npz, csv, parquet, pgvector, pgcopy, faiss, usearch, lancedb, milvus, "
            "vespa, opensearch; by default OUT's suffix.",
        ),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose codes; photo if there are some.")
    ] = None,
    ids: Annotated[
        str | None,
        typer.Option(metavar="IDS", help="Only these, such as 3,7; - reads them, a line each."),
    ] = None,
    store: Store = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write codes and ids for another program; paths and labels, too, as a table.

    Examples:

      hashret export codes.parquet

      hashret export photos.faiss --encoder perceptual

      hashret export images.sql --format pgvector && psql -f images.sql
    """
    from ..collection.exporting import FORMATS
    from ..collection.exporting import export as write
    from ..collection.opening import open_collection
    from ..collection.searching import default_encoder

    kind = format or out.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise ParameterError(
            f"format: expected one of {', '.join(FORMATS)}, got {kind!r}; --format FORMAT says it"
        )
    chosen = None if ids is None else _ids(ids)
    with open_collection(store) as collection:
        name = encoder or default_encoder(collection)
        count = write(collection.catalogue, collection.row(name), kind, out, chosen)
    if json:
        print_json({"file": str(out), "format": kind, "encoder": name, "images": count})
    elif not quiet:
        print_line(f"{shown(str(out))}: {count:,} images, codes of {name}")


def _ids(text: str) -> list[int]:
    parts = sys.stdin.read().split() if text == "-" else text.split(",")
    wrong = [part for part in parts if not (part.strip().isascii() and part.strip().isdigit())]
    if wrong:
        raise ParameterError(f"ids: expected whole numbers, got {wrong[0][:80]!r}")
    return [int(part[:30]) for part in parts]
