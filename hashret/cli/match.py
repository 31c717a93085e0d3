"""``hashret match``: a list of hashes, or another collection, against this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ParameterError
from .options import AsJson, Quiet, Store
from .output import json_path, print_json, print_line, relative, shown

if TYPE_CHECKING:
    from ..collection import Collection
    from ..collection.importing import HashList
    from ..collection.matching import Match

__all__ = ["match"]

# What is matched at 256 bits of PDQ, as its authors advise.
_RADIUS = 31
_AT_ONCE = 1000


def match(
    other: Annotated[
        str,
        typer.Argument(
            metavar="LIST|STORE",
            help="A file of hashes, - for standard input, the name of a list that was imported, "
            "or the folder of another collection.",
        ),
    ],
    radius: Annotated[
        int | None,
        typer.Option(min=0, metavar="BITS", help="At most so far away; 31 with perceptual."),
    ] = None,
    encoder: Annotated[
        str, typer.Option(metavar="NAME", help="Whose codes are compared.")
    ] = "perceptual",
    store: Store = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Find the images near the hashes of a list, or near those of another collection.

    Examples:

      hashret match known.csv

      hashret match /mnt/backup/photos --radius 8 --json
    """
    from ..collection.opening import open_collection

    if radius is None and encoder != "perceptual":
        raise ParameterError(
            f"--radius: expected with {encoder}, of which none is known to be good"
        )
    reach = _RADIUS if radius is None else radius
    with open_collection(store) as collection:
        if other != "-" and Path(other).is_dir():
            count = _with_collection(collection, other, encoder, reach, json)
        else:
            count = _with_list(collection, other, encoder, reach, json)
    if not quiet:
        typer.echo(f"hashret: {count:,} pairs within {reach} bits", err=True)


def _with_list(collection: Collection, source: str, encoder: str, radius: int, json: bool) -> int:
    from ..collection.matching import match_list

    hashes = _hashes(collection, source, collection.row(encoder).bits)
    return _print(
        collection,
        match_list(collection, encoder, hashes, radius),
        lambda rows: {row: _listed(hashes, row) for row in rows},
        json,
    )


def _hashes(collection: Collection, source: str, bits: int) -> HashList:
    from ..collection.importing import load_list, read_hash_list

    if source == "-":
        return read_hash_list(typer.get_binary_stream("stdin"), bits)
    if Path(source).is_file():
        return read_hash_list(source, bits)
    return load_list(collection.catalogue, source)


def _listed(hashes: HashList, row: int) -> tuple[dict[str, Any], str]:
    line, name = hashes.lines[row], hashes.names[row]
    return {"line": line, "name": name}, f"line {line} {name}".rstrip()


def _with_collection(
    collection: Collection, folder: str, encoder: str, radius: int, json: bool
) -> int:
    from ..collection.matching import match_collection
    from ..collection.opening import open_collection

    with open_collection(folder) as other:
        return _print(
            collection,
            match_collection(collection, encoder, other, radius),
            lambda rows: {row: _image(path, row) for row, path in _paths(other, rows)},
            json,
        )


def _image(path: bytes, row: int) -> tuple[dict[str, Any], str]:
    return {"id": row, **json_path(path)}, relative(path)


def _paths(collection: Collection, ids: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    from ..collection.images import images_of

    for image in images_of(collection.catalogue, ids):
        yield image.id, image.files[0].path if image.files else b""


def _print(collection: Collection, found: Iterator[Match], queries: Any, json: bool) -> int:
    """Print pairs as they come; return how many there were."""
    count = 0
    while matches := list(islice(found, _AT_ONCE)):
        named = queries({one.row for one in matches})
        paths = dict(_paths(collection, {one.image for one in matches}))
        for one in matches:
            query, words = named[one.row]
            path = paths[one.image]
            if json:
                row = {"id": one.image, **json_path(path), "distance": one.distance}
                print_json({"query": query, **row})
            else:
                print_line(f"{one.distance:>6}  id {one.image:<8} {relative(path)}  {shown(words)}")
        count += len(matches)
    return count
