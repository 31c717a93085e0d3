"""``hashret verify``: whether a collection agrees with its files, and with itself."""

from __future__ import annotations

from typing import Annotated

import typer

from .app import Exit
from .options import AsJson, Quiet, Store
from .output import json_path, many, print_json, print_line, relative, shown, unread_too
from .progress import Progress

__all__ = ["verify"]


@unread_too()
def verify(
    store: Store = None,
    content: Annotated[
        bool, typer.Option("--content", help="Read and hash every file; slow, and sure.")
    ] = False,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Write anew what can be made from the catalogue: indexes."),
    ] = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Check a collection: its catalogue, files, codes, indexes and quarantine.

    Ends with 0 if all agrees, else with 1, and says what to do. Changes nothing but with
    --repair.

    Examples:

      hashret verify

      hashret verify --content --json
    """
    from ..collection.opening import open_collection
    from ..collection.verifying import verify as check

    problems = looked = 0

    def count(files: int) -> None:
        nonlocal looked
        looked = files
        if files % 64 == 0:
            progress.count("Comparing files", files)

    with open_collection(store, change=repair) as collection, Progress(not quiet) as progress:
        for problem in check(collection, content=content, repair=repair, on_file=count):
            problems += 1
            where = {} if problem.path is None else json_path(problem.path)
            if json:
                print_json(
                    {
                        "kind": problem.kind,
                        **where,
                        "problem": problem.words,
                        "advice": problem.advice,
                    }
                )
            else:
                name = f"{relative(problem.path)}: " if problem.path is not None else ""
                print_line(f"{problem.kind}: {name}{shown(problem.words)} ({problem.advice})")
    if json:
        print_json({"files": looked, "problems": problems})
    elif not quiet:
        agrees = "all agrees" if not problems else many(problems, "problem")
        print_line(f"{many(looked, 'file')}: {agrees}")
    if problems:
        raise typer.Exit(Exit.FAILURE)
