"""``hashret undo``: what was moved out of the way comes back."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from .app import Exit
from .options import AsJson, Quiet, SkipsOk, Store
from .output import json_path, many, note, print_json, print_line, relative, shown, unread_too

__all__ = ["tell_left", "undo"]


@unread_too()
def undo(
    batch: Annotated[
        int | None,
        typer.Argument(metavar="BATCH", help="By default the last that can be undone."),
    ] = None,
    store: Store = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Print what can be undone, and what was.")
    ] = False,
    json: AsJson = False,
    quiet: Quiet = False,
    skips_ok: SkipsOk = False,
) -> None:
    """Bring back what hashret dedup --apply moved away.

    What has another file in its place now stays in the quarantine, and is named.

    Examples:

      hashret undo

      hashret undo --list
    """
    from ..collection.opening import open_collection
    from ..collection.removing import batches
    from ..collection.removing import undo as bring_back

    with open_collection(store, change=not list_) as collection:
        if list_:
            for one in batches(collection.catalogue):
                when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.time_ns / 1e9))
                if json:
                    print_json(one._asdict())
                else:
                    print_line(
                        f"{one.number:>4}  {when}  {one.kind}: {one.away:,} away, "
                        f"{one.back:,} brought back"
                    )
            return
        undone = bring_back(collection.catalogue, batch)
    if json:
        left = [{**json_path(path), "reason": reason} for path, reason in undone.left]
        print_json({"batch": undone.batch, "back": undone.back, "left": left})
    elif undone.batch is None:
        note("nothing to undo", quiet)
    else:
        note(f"batch {undone.batch}: {many(undone.back, 'file')} brought back", quiet)
    tell_left(undone.left, skips_ok)


def tell_left(left: list[tuple[bytes, str]], skips_ok: bool) -> None:
    """Name the files that stay where they are; end with 3 if there are some."""
    for path, reason in left:
        note(f"left as it is: {relative(path)}: {shown(reason)}")
    if left and not skips_ok:
        raise typer.Exit(Exit.SKIPPED)
