"""``hashret search``: the images most like another."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ParameterError
from .app import Exit
from .options import AsJson, Quiet, SkipsOk, Store
from .output import json_path, print_json, print_line, print_names, relative, shown

if TYPE_CHECKING:
    from ..collection import Collection
    from ..collection.queries import Query
    from ..collection.searching import Answer

__all__ = ["search"]

_THUMBNAIL = 320


def search(
    images: Annotated[
        list[Path] | None,
        typer.Argument(metavar="IMAGE", help="Image files, in the collection or not."),
    ] = None,
    id: Annotated[
        list[int] | None,
        typer.Option(metavar="ID", help="An image of the collection; may be repeated."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORDS",
            help="What is to be seen, where the encoder knows words; may be repeated.",
        ),
    ] = None,
    store: Store = None,
    k: Annotated[
        int | None,
        typer.Option("-k", min=1, metavar="N", help="How many; 10, or with --radius all."),
    ] = None,
    radius: Annotated[
        int | None, typer.Option(min=0, metavar="BITS", help="At most so far away.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="FILTER",
            help="Among: taken, folder, path, name, width, height, pixels, size, format, label, "
            "metadata.KEY; = != < <= > >= in, and, or, not, brackets.",
        ),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose codes; photo if there are some.")
    ] = None,
    rerank: Annotated[
        bool, typer.Option("--rerank", help="Order results by more than their codes.")
    ] = False,
    missing: Annotated[
        bool, typer.Option("--missing", help="Find images that are not there now, too.")
    ] = False,
    json: AsJson = False,
    paths: Annotated[bool, typer.Option("--paths", help="Print nothing but paths.")] = False,
    print0: Annotated[
        bool, typer.Option("--print0", help="Print paths with a zero byte behind each.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a web page with pictures.")
    ] = None,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one picture of all.")
    ] = None,
    preview: Annotated[
        bool | None,
        typer.Option(
            "--preview/--no-preview",
            help="Show pictures in the terminal; by default where it can.",
        ),
    ] = None,
    quiet: Quiet = False,
    skips_ok: SkipsOk = False,
) -> None:
    """Find the images that are most like an image.

    Examples:

      hashret search cat.jpg

      hashret search cat.jpg -k 30 --html cats.html

      hashret search --id 12 --where 'taken >= 2020 and folder = "Italy" and size > 1MB'

      hashret search cat.jpg --radius 20 --print0 | xargs -0 ls -l
    """
    from ..collection.opening import open_collection
    from ..collection.searching import default_encoder
    from ..collection.searching import search as find

    if sum(map(bool, (json, paths, print0))) > 1:
        raise ParameterError("--json, --paths, --print0: expected one of them, got several")
    # The queries are to be encoded as what they are compared with.
    with open_collection(store) as collection, collection.catalogue.snapshot():
        name = encoder or default_encoder(collection)
        queries = _queries(collection, name, images, id, text, rerank)
        answers = find(
            collection,
            name,
            queries,
            k=k if k is not None or radius is not None else 10,
            radius=radius,
            where=where,
            rerank=rerank,
            missing=missing,
        )
    if json:
        for answer in answers:
            print_json(_as_json(answer, name))
    elif paths or print0:
        found = [result.file.path for answer in answers for result in answer.results]
        print_names(found, zero=print0)
        _tell_reasons(answers)
    elif not quiet:
        _print(answers, name, preview)
    _write(answers, name, html, png, quiet or json or paths or print0)
    if any(answer.query.reason for answer in answers) and not skips_ok:
        raise typer.Exit(Exit.SKIPPED)


def _queries(
    collection: Collection,
    encoder: str,
    images: list[Path] | None,
    ids: list[int] | None,
    texts: list[str] | None,
    margins: bool,
) -> list[Query]:
    from ..collection import queries

    if not (images or ids or texts):
        raise ParameterError("search: expected an image, --id or --text, got none")
    found: list[Query] = []
    if images:
        names = [os.fspath(path) for path in images]
        found += queries.of_files(collection, encoder, names, margins=margins)
    if ids:
        found += queries.of_ids(collection, encoder, ids, margins=margins)
    if texts:
        found += queries.of_texts(collection, encoder, texts)
    return found


def _as_json(answer: Answer, encoder: str) -> dict[str, Any]:
    query = answer.query
    name = query.name
    row: dict[str, Any] = json_path(name, "query") if isinstance(name, bytes) else {"query": name}
    row["encoder"] = encoder
    if query.reason:
        row["reason"] = query.reason
    row["results"] = [
        {
            "id": result.image.id,
            **json_path(result.file.path),
            "distance": result.distance,
            **({"same": True} if result.same else {}),
            **({"missing": True} if result.file.state != "present" else {}),
        }
        for result in answer.results
    ]
    return row


def _print(answers: list[Answer], encoder: str, preview: bool | None) -> None:
    shows = sys.stdout.isatty() and preview is not False
    graphics = None
    if shows:
        from ..collection.showing import graphics_of

        graphics = graphics_of()
    strips: list[Any] = [None] * len(answers)
    if shows and (graphics or preview):
        from ..collection.showing import strips_of

        strips = strips_of(answers, 160)
    for number, (answer, strip) in enumerate(zip(answers, strips, strict=True)):
        if number:
            print_line()
        _print_answer(answer, encoder)
        if strip is not None:
            from ..collection.showing import render_terminal

            columns = shutil.get_terminal_size().columns
            print(render_terminal(strip, graphics, columns), end="", flush=True)


def _print_answer(answer: Answer, encoder: str) -> None:
    query = answer.query
    if query.reason:
        print_line(f"{_title(query.name)}: {shown(query.reason)}")
        return
    print_line(
        f"{_title(query.name)}, by {encoder}" + ("" if answer.results else ": nothing found")
    )
    for result in answer.results:
        notes = [_sameness(query.name, result.file.path)] * result.same
        notes += ["missing"] * (result.file.state != "present")
        note = f"  ({', '.join(notes)})" if notes else ""
        distance = f"{result.distance:>6.4g}"
        print_line(f"{distance}  id {result.image.id:<8} {relative(result.file.path)}{note}")


def _sameness(name: str | bytes | int, path: bytes) -> str:
    """Return how a result with the query's bytes is called: its own file may be another."""
    elsewhere = isinstance(name, bytes) and os.path.realpath(name) != os.path.realpath(path)
    return "equal to the query" if elsewhere else "the query itself"


def _title(name: str | bytes | int) -> str:
    if isinstance(name, int):
        return f"image {name}"
    return shown(name)


def _tell_reasons(answers: list[Answer]) -> None:
    for answer in answers:
        if answer.query.reason:
            typer.echo(
                f"hashret: {_title(answer.query.name)}: {shown(answer.query.reason)}", err=True
            )


def _write(
    answers: list[Answer], encoder: str, html: Path | None, png: Path | None, quiet: bool
) -> None:
    """Write the files that were asked for."""
    if html is None and png is None:
        return
    from ..collection.showing import draw_sheet, render_page, strips_of
    from ..files import replacing, write_text

    strips = strips_of(answers, _THUMBNAIL)
    if html is not None:
        count = sum(len(answer.results) for answer in answers)
        lead = f"{count} images by {encoder}; the number is how far each is from the query."
        write_text(html, render_page("Similar images", lead, strips))
    if png is not None:
        with replacing(png) as file:
            draw_sheet(strips).save(file, format="PNG")
    for path in (html, png):
        if path is not None and not quiet:
            print_line(shown(os.fspath(path)))
