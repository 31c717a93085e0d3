"""``hashret dedup``: duplicates found, and moved out of the way."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import HashretError, ParameterError
from .options import AsJson, Quiet, SkipsOk, Store
from .output import json_path, many, note, print_json, print_line, relative, shown, unread_too
from .progress import Progress
from .undo import tell_left

if TYPE_CHECKING:
    from ..collection import Collection
    from ..collection.catalogue import EncoderRow
    from ..collection.duplicates import Along, Group, Place, Rules
    from ..collection.duplicates.along import Companion

__all__ = ["dedup"]

_PERCEPTUAL = "perceptual"
# Used beside it where the collection has its codes.
_BORDERLESS = "borderless"
_SEMANTIC = "photo"
# Of pictures that are too plain.
_PLAIN_LISTED = 5


def dedup(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Images, for --not-duplicates, --keep-all and --prefer."),
    ] = None,
    store: Store = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Move duplicates to the quarantine; see hashret undo.")
    ] = False,
    hardlink: Annotated[
        bool,
        typer.Option(
            "--hardlink", help="With --apply: make files of equal bytes hard links instead."
        ),
    ] = False,
    radius: Annotated[
        int | None,
        typer.Option(min=0, metavar="BITS", help="Near is what differs in no more; 31 by default."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="What stays: largest, oldest or under:PATH; may be repeated, the first counts "
            "most. By default the best quality: pixels, bytes, format, age.",
        ),
    ] = None,
    keep_root: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="Nothing in it goes; may be repeated."),
    ] = None,
    under: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="Compare only files in it, and those of --keep-root; may be repeated.",
        ),
    ] = None,
    scope: Annotated[
        str,
        typer.Option(
            metavar="WHERE",
            help="Compare all, only files within one root, or only files across roots.",
        ),
    ] = "all",
    transforms: Annotated[
        bool, typer.Option("--transforms", help="Find mirrored and turned copies, too.")
    ] = False,
    equal: Annotated[
        bool, typer.Option("--equal", help="Only files of equal bytes, whatever they show.")
    ] = False,
    similar: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="BITS",
            help="Show what the encoder photo finds similar instead; nothing of it is ever moved.",
        ),
    ] = None,
    json: AsJson = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a table, a line a file.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with pictures side by side.")
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a page that shows what each radius finds here, and end."
        ),
    ] = None,
    not_duplicates: Annotated[
        bool,
        typer.Option("--not-duplicates", help="Remember that these images are different, and end."),
    ] = False,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Remember to move none of these images, and end.")
    ] = False,
    prefer: Annotated[
        bool,
        typer.Option(
            "--prefer", help="Remember that these stay where one of several does, and end."
        ),
    ] = False,
    quiet: Quiet = False,
    skips_ok: SkipsOk = False,
) -> None:
    """Find duplicates, and move them out of the way if asked to.

    Without --apply nothing is changed. With it the duplicates go to the quarantine, a folder
    in .hashret of their own root; hashret undo brings them back.

    Examples:

      hashret dedup --html duplicates.html

      hashret dedup --radius 20 --keep under:albums --apply

      hashret dedup --keep-root /mnt/archive --scope across --apply

      hashret dedup --under camera --keep-root albums    what of camera is in albums

      hashret dedup --not-duplicates 12 55
    """
    from ..collection.duplicates import RADIUS, Along, Rules
    from ..collection.opening import open_collection

    chosen = radius if similar is None else similar
    rules = Rules(
        radius=RADIUS if chosen is None else chosen,
        keep=tuple(keep or ()),
        keep_roots=tuple(keep_root or ()),
        under=tuple(under or ()),
        scope=scope,
        transforms=transforms,
    )
    if kind := _kind(not_duplicates, keep_all, prefer):
        _decide(kind, _numbers(ids or []), store, quiet)
        return
    if ids:
        raise ParameterError(
            f"{ids[0]}: expected --not-duplicates, --keep-all or --prefer with an id, "
            "and --under in front of a folder"
        )
    if hardlink and not apply:
        raise ParameterError("hardlink: expected with --apply")
    if similar is not None and (apply or transforms):
        raise ParameterError("similar: what it finds is only shown; without --apply, --transforms")
    with ExitStack() as stack:
        if apply:
            stack.enter_context(unread_too())
        collection = stack.enter_context(open_collection(store, change=apply))
        name = _PERCEPTUAL if similar is None else _SEMANTIC
        encoder = None if equal or hardlink else _encoder(collection, name)
        if calibrate is not None:
            _calibrate(collection, encoder, rules, calibrate, quiet)
            return
        progress = stack.enter_context(Progress(not quiet))
        along = Along(links=hardlink)
        groups = _Printed(json, quiet, _means(encoder, rules), along)
        found = groups.printed(_found(collection, encoder, rules, similar, progress))
        source = _written(found, csv, html, along, stack)
        if apply:
            _apply(collection, source, hardlink, groups, skips_ok)
        else:
            for _ in source:
                pass
            if encoder is not None and similar is None and not (json or quiet):
                _print_plain(collection, encoder, rules)
            groups.summary(moves=similar is None, page=html is not None)


def _numbers(ids: list[str]) -> list[int]:
    for one in ids:
        if not one.isdecimal():
            raise ParameterError(f"ID: expected the number of an image, got {one!r}")
    return [int(one) for one in ids]


_SAID = {
    "not duplicates": "different from each other",
    "keep": "to stay, all their files",
    "prefer": "better than what looks like it",
}


def _kind(*chosen: bool) -> str | None:
    """Return what is to be decided, by options in the order of `_SAID`."""
    kinds = [kind for kind, is_chosen in zip(_SAID, chosen, strict=True) if is_chosen]
    if len(kinds) > 1:
        raise ParameterError("expected one of --not-duplicates, --keep-all and --prefer at a time")
    return kinds[0] if kinds else None


def _decide(kind: str, ids: list[int], store: Path | None, quiet: bool) -> None:
    from ..collection.duplicates import decide
    from ..collection.opening import open_collection

    with open_collection(store, change=True) as collection:
        decide(collection.catalogue, kind, ids)
    note(f"remembered of {many(len(set(ids)), 'image')}: {_SAID[kind]}", quiet)


def _encoder(collection: Collection, name: str) -> EncoderRow:
    if name not in collection.encoders:
        raise HashretError(
            f"no codes of the encoder {name!r}: hashret index --encoder {name} makes them"
        )
    return collection.encoders[name]


def _calibrate(
    collection: Collection, encoder: EncoderRow | None, rules: Rules, path: Path, quiet: bool
) -> None:
    from ..collection.duplicates import calibrate, write_calibration

    if encoder is None:
        raise ParameterError("calibrate: expected without --equal and --hardlink")
    levels = calibrate(collection.catalogue, encoder, rules)
    with path.open("w", encoding="utf-8") as page:
        write_calibration(page, levels)
    for level in levels:
        print_line(f"{level.radius:>4} bits: {level.pairs:,} pairs")
    note(f"pairs to look at: {path}; then hashret dedup --radius BITS", quiet)


def _found(
    collection: Collection,
    encoder: EncoderRow | None,
    rules: Rules,
    similar: int | None,
    progress: Progress,
) -> Iterator[Group]:
    from ..collection.duplicates import find_duplicates

    near = encoder is not None and similar is None
    return find_duplicates(
        collection.catalogue,
        encoder,
        rules,
        inner=collection.encoders.get(_BORDERLESS) if near else None,
        tier="near" if similar is None else "similar",
        on_step=lambda done, total: progress.count(f"Comparing {total:,} images", done),
    )


def _written(
    groups: Iterable[Group],
    csv: Path | None,
    html: Path | None,
    along: Along,
    stack: ExitStack,
) -> Iterable[Group]:
    """Write the files that are asked for, and pass the groups on."""
    from ..collection.duplicates import write_groups, write_table

    if csv is not None:
        table = stack.enter_context(
            csv.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        )
        groups = write_table(table, groups, along)
    if html is not None:
        page = stack.enter_context(html.open("w", encoding="utf-8"))
        groups = write_groups(page, groups, along)
    return groups


class _Printed:
    """Prints groups as they are found, and counts what they hold."""

    def __init__(self, json: bool, quiet: bool, means: str, along: Along) -> None:
        self._json, self.quiet, self._means, self._along = json, quiet, means, along
        self.groups = self.files = self.size = 0

    def printed(self, groups: Iterable[Group]) -> Iterator[Group]:
        for group in groups:
            others = [self._along.of(one) for one in group.members]
            self.groups += 1
            self.files += len(group.members) + sum(map(len, others))
            self.size += sum(one.place.size for one in group.members)
            self.size += sum(file.size for files in others for file in files)
            if self._json:
                print_json(_as_json(group, others))
            elif not self.quiet:
                _print_group(group, others)
            yield group

    def summary(self, *, moves: bool, page: bool) -> None:
        """Say what was found by which means, and what can be done now."""
        if not self.groups:
            note(f"no duplicates by {self._means}", self.quiet)
            return
        found = f"{many(self.groups, 'group')} by {self._means}: {many(self.files, 'file')}"
        size = f"{self.size / 1e6:,.1f} MB"
        look = [] if page else ["--html FILE shows the pictures"]
        if moves:
            found += f" could go, {size}"
            look += ["--apply moves them, and hashret undo brings them back"]
        else:
            found += " beside those kept; similar pictures are only shown, never moved"
        note(found, self.quiet)
        if look:
            note("; ".join(look), self.quiet)


def _means(encoder: EncoderRow | None, rules: Rules) -> str:
    """Return by which means duplicates are found, for a person."""
    means = "equal bytes" if encoder is None else f"{encoder.name} within {rules.radius} bits"
    if rules.under:
        means += " in " + ", ".join(shown(os.fspath(folder)) for folder in rules.compared_folders)
    return means


def _as_json(group: Group, others: list[list[Companion]]) -> dict[str, Any]:
    def place(one: Place) -> dict[str, Any]:
        return {"id": one.id, **json_path(one.path)}

    return {
        "keep": place(group.keep),
        "members": [
            {
                **place(one.place),
                "distance": one.distance,
                "tier": one.tier,
                "transform": one.transform,
                "companions": [json_path(file.path) for file in files],
            }
            for one, files in zip(group.members, others, strict=True)
        ],
    }


def _print_group(group: Group, others: list[list[Companion]]) -> None:
    print_line(f"keep          {relative(group.keep.path)}  (id {group.keep.id})")
    for one, files in zip(group.members, others, strict=True):
        bits = f" {one.distance}" if one.tier in ("near", "similar") else ""
        turned = f"  {one.transform}" if one.transform else ""
        name = relative(one.place.path)
        print_line(f"  {one.tier + bits:<11} {name}  (id {one.place.id}){turned}")
        for file in files:
            print_line(f"    {'with it':<9} {relative(file.path)}")
    print_line()


def _print_plain(collection: Collection, encoder: EncoderRow, rules: Rules) -> None:
    from ..collection.duplicates import plain_images

    count = 0
    for count, (image, path, _) in enumerate(plain_images(collection.catalogue, encoder, rules), 1):
        if count == 1:
            print_line("too plain to compare; of these only equal bytes are found:")
        if count <= _PLAIN_LISTED:
            print_line(f"  {relative(path)}  (id {image})")
    if count > _PLAIN_LISTED:
        print_line(f"  and {count - _PLAIN_LISTED:,} more")


def _apply(
    collection: Collection,
    groups: Iterable[Group],
    hardlink: bool,
    printed: _Printed,
    skips_ok: bool,
) -> None:
    from ..collection.duplicates import duplicates_of
    from ..collection.removing import remove

    removed = remove(collection.catalogue, duplicates_of(groups, equal=hardlink), hardlink=hardlink)
    what = "made hard links" if hardlink else "moved to the quarantine"
    undo = f"; hashret undo {removed.batch} brings them back" if removed.files else ""
    note(f"{many(removed.files, 'file')} {what}, {removed.size / 1e6:,.1f} MB{undo}", printed.quiet)
    tell_left(removed.left, skips_ok)
