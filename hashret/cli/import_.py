"""``hashret import``: hashes and embeddings that other programs made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ParameterError
from .app import Exit
from .options import AsJson, Quiet, SkipsOk, Store
from .output import print_json, print_line, shown, unread_too
from .refusals import tell_refused

if TYPE_CHECKING:
    from ..collection import Collection

__all__ = ["import_"]


@unread_too()
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A list of hashes (.txt, .csv), embeddings (.npy, .npz), or imagededup's .json.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What it is called here; by default as the file is."),
    ] = None,
    paths: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Of embeddings: the path of each row, a line each."),
    ] = None,
    bits: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Of a list: length of its hashes. Else of codes."),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="What the paths in the file are relative to."),
    ] = None,
    encoder: Annotated[
        str, typer.Option(metavar="NAME", help="Of lists of duplicates: whose distances to show.")
    ] = "perceptual",
    store: Store = None,
    json: AsJson = False,
    quiet: Quiet = False,
    skips_ok: SkipsOk = False,
) -> None:
    """Take hashes or embeddings of another program into the collection.

    A list of hashes gets a name, for hashret match. Embeddings, and imagededup's hashes, become
    the codes of their images, for hashret search --id and --encoder NAME. imagededup's lists of
    duplicates change nothing: each pair is shown with the distance of its codes here.

    Examples:

      hashret import known.csv --name known

      hashret import clip.npz                    arrays embeddings and paths

      hashret import clip.npy --paths paths.txt

      hashret import encodings.json --name imagededup-phash --base photos
    """
    from ..collection.opening import open_collection

    kind, called = file.suffix.lower(), name or file.stem
    with open_collection(store, change=True) as collection:
        if kind in (".npy", ".npz"):
            refused = _embeddings(collection, file, called, paths, bits, base, json, quiet)
        elif kind == ".json":
            refused = _imagededup(collection, file, called, base, encoder, json, quiet)
        else:
            if paths is not None or base is not None:
                raise ParameterError("--paths, --base: expected with embeddings or imagededup's")
            refused = []
            _list(collection, file, called, 256 if bits is None else bits, json, quiet)
    if refused and not skips_ok:
        raise typer.Exit(Exit.SKIPPED)


def _list(
    collection: Collection, file: Path, name: str, bits: int, json: bool, quiet: bool
) -> None:
    from ..collection.importing import read_hash_list, save_list

    hashes = read_hash_list(file, bits)
    save_list(collection.catalogue, name, hashes)
    if json:
        print_json({"list": name, "hashes": len(hashes)})
    elif not quiet:
        print_line(f"list {shown(name)}: {len(hashes):,} hashes; hashret match {shown(name)}")


def _embeddings(
    collection: Collection,
    file: Path,
    name: str,
    paths: Path | None,
    bits: int | None,
    base: Path | None,
    json: bool,
    quiet: bool,
) -> list[tuple[str, str]]:
    from ..collection.importing import import_embeddings, read_embeddings

    found = read_embeddings(file, paths)
    placed = import_embeddings(collection.catalogue, name, found, bits=bits, base=base)
    _tell(name, len(placed.values), placed.refused, json, quiet)
    return placed.refused


def _imagededup(
    collection: Collection,
    file: Path,
    name: str,
    base: Path | None,
    encoder: str,
    json: bool,
    quiet: bool,
) -> list[tuple[str, str]]:
    from ..collection.importing import compare_duplicates, import_hashes, read_imagededup

    found = read_imagededup(file)
    if found.hashes is not None:
        placed = import_hashes(collection.catalogue, name, found.hashes, base)
        _tell(name, len(placed.values), placed.refused, json, quiet)
        return placed.refused
    row = collection.row(encoder)
    for pair in compare_duplicates(collection.catalogue, row, found.duplicates, base):
        if json:
            print_json(pair._asdict())
        else:
            distance = "-" if pair.distance is None else pair.distance
            print_line(f"{distance:>6}  {shown(pair.first)}  {shown(pair.second)}")
    return []


def _tell(name: str, count: int, refused: list[tuple[str, str]], json: bool, quiet: bool) -> None:
    if json:
        listed = [{"path": path, "reason": reason} for path, reason in refused]
        print_json({"encoder": name, "images": count, "refused": listed})
        return
    tell_refused(refused)
    if not quiet:
        print_line(
            f"{shown(name)}: codes of {count:,} images; "
            f"hashret search --id ID --encoder {shown(name)}"
        )
