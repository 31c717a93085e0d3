"""``hashret index``: folders become searchable, and stay it."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .app import Exit
from .options import (
    AsJson,
    Memory,
    Pixels,
    Quiet,
    RayAddress,
    Seconds,
    SkipsOk,
    Store,
    Verbose,
    Workers,
    limits_of,
)
from .output import json_path, many, note, print_json, print_line, relative, shown, unread_too
from .progress import Progress
from .shards import Shows, index_shards

if TYPE_CHECKING:
    from ..collection import Collection
    from ..collection.updating import Report

__all__ = ["index"]

# Of each list in a report, without --verbose.
_LISTED = 10
# Seconds after which to look again whether another process has ended its changes.
_LOCKED = 10.0


@unread_too()
def index(
    roots: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folders of images. By default those of the collection that the current folder "
            "lies in; if there is none, the current folder. With --ray also files, and pictures in "
            ".tar and .parquet files.",
        ),
    ] = None,
    store: Store = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE",
            help="What makes the codes: perceptual, borderless, photo-fast, photo, photo-best, "
            "hog, or a file; may be repeated. By default perceptual and photo.",
        ),
    ] = None,
    re_encode: Annotated[
        bool,
        typer.Option(
            "--re-encode",
            help="Make the codes of --encoder anew, if its file has changed or it was fitted.",
        ),
    ] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Leave out, as in a .gitignore; may be repeated. Remembered; '' clears it.",
        ),
    ] = None,
    hidden: Annotated[
        bool | None,
        typer.Option("--hidden/--no-hidden", help="Take names with a dot in front. Remembered."),
    ] = None,
    one_file_system: Annotated[
        bool | None,
        typer.Option(
            "--one-file-system/--all-file-systems",
            help="Leave out what is mounted inside a folder. Remembered.",
        ),
    ] = None,
    check_content: Annotated[
        bool,
        typer.Option("--check-content", help="Hash every file, whatever its size and time say."),
    ] = False,
    retry_skipped: Annotated[
        bool,
        typer.Option(
            "--retry-skipped", "--retry-failed", help="Read files again that were skipped."
        ),
    ] = False,
    forget_missing: Annotated[
        bool,
        typer.Option(
            "--forget-missing", help="Drop what is known of missing files, but not of offline ones."
        ),
    ] = False,
    forget_offline: Annotated[
        bool,
        typer.Option(
            "--forget-offline",
            help="The same, and of those in folders that cannot be reached or are empty, and on "
            "disks that are not mounted; such a folder of the collection is no part of it then.",
        ),
    ] = False,
    max_pixels: Pixels = None,
    max_seconds: Seconds = None,
    max_memory: Memory = None,
    workers: Workers = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay, and keep up with changes until Ctrl-C.")
    ] = False,
    rescan: Annotated[
        float,
        typer.Option(min=0.01, metavar="MINUTES", help="With --watch: how often to look anyway."),
    ] = 60.0,
    ray: RayAddress = None,
    shards: Annotated[
        str | None,
        typer.Option(
            metavar="LOCATION",
            help="With --ray: where the sharded index is made, a folder or an address that all "
            "nodes reach.",
        ),
    ] = None,
    json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    skips_ok: SkipsOk = False,
) -> None:
    """Make folders of images searchable, or bring their collection up to date.

    Nothing is written into the folders but .hashret in the first; with --store not even that.
    It may be interrupted at any time, and goes on from there.

    Examples:

      hashret index                              the current folder

      hashret index ~/Pictures /mnt/camera       two folders, one collection

      hashret index --exclude '*.psd' --watch    keep up with changes

      hashret index /mnt/dvd --store ~/dvd       a folder that cannot be written

      hashret index --ray auto --shards /shared/codes /shared/photos      by a cluster
    """
    from ..collection.opening import open_to_index

    limits = limits_of(max_pixels, max_seconds, max_memory)
    if ray is not None or shards is not None:
        refused = {
            "store": store,
            "re-encode": re_encode,
            "exclude": exclude,
            "hidden": hidden,
            "one-file-system": one_file_system,
            "check-content": check_content,
            "forget-missing": forget_missing,
            "forget-offline": forget_offline,
            "watch": watch,
        }
        index_shards(
            roots or [Path.cwd()],
            ray,
            shards,
            refused=[name for name, given in refused.items() if given not in (None, False)],
            encoders=encoder or [],
            options={"limits": limits, "workers": workers, "retry_failed": retry_skipped},
            shows=Shows(json, verbose, quiet, skips_ok),
        )
        return
    options = {
        "limits": limits,
        "workers": workers,
        "replace": re_encode,
        "check_content": check_content,
        "retry_skipped": retry_skipped,
        "forget": forget_missing,
        "forget_offline": forget_offline,
    }
    run = partial(_update, encoders=encoder, options=options, shows=not quiet)
    forgets = forget_missing or forget_offline
    tell = _tell_json if json else partial(_tell, verbose=verbose, quiet=quiet, forgets=forgets)
    with _terminated_as_interrupted():
        with open_to_index(roots or (), store) as collection:
            excluded = None if exclude is None else [glob for glob in exclude if glob]
            collection.configure(exclude=excluded, hidden=hidden, one_file_system=one_file_system)
            if not watch:
                report = run(collection)
                tell(collection, report)
        if watch:
            _watch(collection.store, rescan * 60, run, tell)
        elif _lacks(report) and not skips_ok:
            raise typer.Exit(Exit.SKIPPED)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Take what a service manager or `kill` sends as Ctrl-C, and say what that means here."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "what was read so far is kept; the same command goes on from there"
        ) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _update(
    collection: Collection, *, encoders: list[str] | None, options: dict[str, Any], shows: bool
) -> Report:
    names, lacking = (encoders, None) if encoders else collection.default_encoders
    if lacking and shows:
        note(shown(lacking))
    with Progress(shows) as progress:
        return collection.update(
            names, on_batch=progress.update, on_sample=progress.sample, **options
        )


def _watch(store: str, period: float, run: Any, tell: Any) -> None:
    """Update whenever something has changed, until Ctrl-C."""
    from ..collection import Collection
    from ..collection.watching import Watcher
    from ..errors import LockedError

    with Collection.open(store) as collection:
        watcher = Watcher(collection.roots, store, period)
    try:
        watcher.start()
        if watcher.trouble:
            words = f"looking every {period / 60:g} minutes only: {watcher.trouble}"
            note(shown(words))
        while True:
            most = None
            try:
                # Between updates others may change the collection.
                with Collection.change(store) as collection:
                    tell(collection, run(collection))
            except LockedError as error:
                note(shown(str(error)))
                most = _LOCKED
            watcher.wait(most)
    except KeyboardInterrupt:
        # The usual way to end it.
        return


def _lacks(report: Report) -> bool:
    return bool(report.skipped.count or report.missing.count or report.unreachable.count)


def _tell_json(collection: Collection, report: Report) -> None:
    from ..collection.catalogue import files_in_state

    skipped = files_in_state(collection.catalogue, "skipped")
    print_json(
        {
            "found": report.found,
            "new": report.new.count,
            "changed": report.changed.count,
            "renamed": report.renamed.count,
            "back": report.back.count,
            "missing": report.missing.count,
            "forgotten": report.forgotten,
            "other": report.other,
            "encoded": report.encoded,
            "skipped": [{**json_path(path), "reason": reason} for path, reason in skipped],
            "unreachable": [
                {**json_path(path), "reason": reason} for path, reason in report.unreachable.listed
            ],
            "seconds": round(report.seconds, 3),
        }
    )


def _tell(
    collection: Collection, report: Report, *, verbose: bool, quiet: bool, forgets: bool
) -> None:
    if quiet:
        return
    from ..collection.catalogue import files_in_state

    counts = {
        "new": report.new.count,
        "changed": report.changed.count,
        "moved": report.renamed.count,
        "back": report.back.count,
        "missing": report.missing.count,
        "skipped": report.skipped.count,
        "forgotten": report.forgotten,
        # As where an encoder has come.
        "encoded": 0 if report.new.count or report.changed.count else report.encoded,
    }
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    pictures = report.found - report.other
    where = _elsewhere(collection)
    print_line(f"{many(pictures, 'image')}{where}: {told or 'nothing new'}. {report.seconds:.1f} s")
    most = None if verbose else _LISTED
    for name, paths in (("new", report.new), ("changed", report.changed), ("back", report.back)):
        if name != "new" or verbose or paths.count <= _LISTED:
            _list(name, paths.listed, paths.count, most)
    moved = [
        (path, f"was {relative(word.encode(errors='surrogateescape'))}")
        for path, word in report.renamed.listed
    ]
    _list("moved", moved, report.renamed.count, most)
    for name, paths in (("missing", report.missing), ("skipped", report.skipped)):
        listed = files_in_state(collection.catalogue, name) if verbose else paths.listed
        _list(name, listed, paths.count, most)
    _list("cannot be reached", report.unreachable.listed, report.unreachable.count, most)
    _advise(collection, report, pictures, forgets)


def _elsewhere(collection: Collection) -> str:
    """Return which folders were looked at, if not the one that the user is in, and no other."""
    here = os.path.join(os.getcwd(), "")
    roots = collection.roots
    if len(roots) == 1 and here.startswith(os.path.join(roots[0], "")):
        return ""
    return " in " + ", ".join(map(shown, roots))


def _list(name: str, paths: Iterable[tuple[bytes, str]], count: int, most: int | None) -> None:
    if not count:
        return
    print_line(f"{name}:")
    number = 0
    for number, (path, word) in enumerate(paths, 1):
        print_line(f"  {relative(path)}" + (f": {shown(word)}" if word else ""))
        if number == most:
            break
    if count > number:
        print_line(f"  and {count - number:,} more" + ("" if most is None else "; -v lists them"))


def _advise(collection: Collection, report: Report, pictures: int, forgets: bool) -> None:
    if report.unreachable.count:
        print_line("If a disk is not mounted, mount it and run this again: all codes are kept.")
    elif report.missing.count and not forgets:
        print_line("All codes are kept, should they come back; --forget-missing drops them.")
    if report.missing.count and forgets:
        print_line("What is missing is offline, and kept; --forget-offline drops that, too.")
    if any("max_pixels" in reason for _, reason in report.skipped.listed):
        print_line("Larger images are read by --retry-skipped --max-pixels 300M, say.")
    if not pictures and not report.missing.count:
        folders = ", ".join(shown(root) for root in collection.roots)
        print_line(f"No images in {folders}. Is it the right folder, and its disk mounted?")
    elif report.new.count and report.new.count == pictures and report.new.listed:
        sample = shlex.quote(relative(report.new.listed[0][0]))
        if sys.stdout.isatty():
            print_line(f"Now: hashret search {sample}, or hashret dedup to look for copies")
