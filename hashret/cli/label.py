"""``hashret label``: what people say of images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ParameterError
from .app import Exit
from .options import AsJson, Quiet, SkipsOk, Store
from .output import many, print_json, print_line, shown, unread_too
from .refusals import tell_refused

if TYPE_CHECKING:
    from ..collection import Collection

__all__ = ["label"]


@unread_too()
def label(
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="ID", help="Images, for --set and --remove.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Labels of images: lines of path,label.")
    ] = None,
    folders: Annotated[
        bool, typer.Option("--folders", help="Label each image with its folder below the root.")
    ] = False,
    set: Annotated[
        str | None, typer.Option("--set", metavar="KEY=VALUE", help="Say this of the images.")
    ] = None,
    remove: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Take back a key, of the images or of all of them."),
    ] = None,
    key: Annotated[
        str, typer.Option(metavar="KEY", help="Under which the labels of --csv and --folders go.")
    ] = "label",
    store: Store = None,
    json: AsJson = False,
    quiet: Quiet = False,
    skips_ok: SkipsOk = False,
) -> None:
    """Label images; without options, list the keys, or what is said of the images.

    Labels belong to the bytes of an image: they stay when it is renamed or copied.

    Examples:

      hashret label --folders                    cats/1.jpg is labelled cats

      hashret label --csv labels.csv --key species

      hashret label --set rating=5 12 17

      hashret label 12                           what is said of image 12
    """
    from ..collection.opening import open_collection

    given = [csv is not None, folders, set is not None, remove is not None]
    if sum(given) > 1:
        raise ParameterError("--csv, --folders, --set, --remove: expected one of them")
    with open_collection(store, change=any(given)) as collection:
        if csv is not None or folders:
            refused = _label(collection, key, csv, json, quiet)
        else:
            refused = []
            if set is not None:
                _set(collection, set, ids or [], json, quiet)
            elif remove is not None:
                _remove(collection, remove, ids, json, quiet)
            else:
                _list(collection, ids, json)
    if refused and not skips_ok:
        raise typer.Exit(Exit.SKIPPED)


def _label(
    collection: Collection, key: str, csv: Path | None, json: bool, quiet: bool
) -> list[tuple[str, str]]:
    from ..collection.labels import folder_labels, read_labels, set_labels
    from ..collection.places import place

    rows = folder_labels(collection.catalogue) if csv is None else read_labels(csv)
    placed = place(collection.catalogue, rows, None if csv is None else csv.absolute().parent)
    changed = set_labels(collection.catalogue, key, placed.values)
    _tell(key, len(placed.values), changed, json, quiet, placed.refused)
    return placed.refused


def _set(collection: Collection, text: str, ids: list[int], json: bool, quiet: bool) -> None:
    from ..collection.labels import set_labels

    key, equals, value = text.partition("=")
    if not equals:
        raise ParameterError(f"--set: expected KEY=VALUE, got {text[:80]!r}")
    if not ids:
        raise ParameterError("--set: expected ids of images behind it, got none")
    changed = set_labels(collection.catalogue, key, dict.fromkeys(ids, value))
    _tell(key, len({*ids}), changed, json, quiet, [])


def _tell(
    key: str, count: int, changed: int, json: bool, quiet: bool, refused: list[tuple[str, str]]
) -> None:
    if json:
        listed = [{"path": path, "reason": reason} for path, reason in refused]
        print_json({"key": key, "labelled": count, "changed": changed, "refused": listed})
        return
    tell_refused(refused)
    if not quiet:
        print_line(f"{shown(key)}: {many(count, 'image')} labelled, {changed:,} new or changed")


def _remove(
    collection: Collection, key: str, ids: list[int] | None, json: bool, quiet: bool
) -> None:
    from ..collection.labels import remove_labels

    count = remove_labels(collection.catalogue, key, ids or None)
    if json:
        print_json({"key": key, "removed": count})
    elif not quiet:
        print_line(f"{shown(key)}: taken back of {many(count, 'image')}")


def _list(collection: Collection, ids: list[int] | None, json: bool) -> None:
    from ..collection.images import images_of
    from ..collection.labels import keys_of, values_of

    if ids:
        known = {image.id for image in images_of(collection.catalogue, ids)}
        unknown = [image for image in ids if image not in known]
        if unknown:
            raise ParameterError(f"id: no image {unknown[0]} in the collection")
        found = values_of(collection.catalogue, ids)
        for image in ids:
            _show(image, found.get(image, {}), json)
        return
    for key in keys_of(collection.catalogue):
        if json:
            print_json(key._asdict())
        else:
            print_line(
                f"{shown(key.key)}: {many(key.images, 'image')}, {many(key.values, 'value')}"
            )


def _show(image: int, labels: Mapping[str, str], json: bool) -> None:
    if json:
        print_json({"id": image, "labels": dict(labels)})
    else:
        words = ", ".join(f"{shown(key)}={shown(value)}" for key, value in labels.items())
        print_line(f"id {image}: {words or 'nothing'}")
