"""Measure the targets and print a table: ``python -m benchmarks.report --help``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hashret.errors import HashretError
from hashret.experiments.steps import Steps
from hashret.extras import import_extra

from . import curves, data, machine, pages, plots, real
from .sizes import SIZES, size
from .targets import TARGETS

CURVES = {"latency": curves.latency, "recall": curves.recall}


def main(arguments: list[str] | None = None) -> int:
    """Measure what the arguments ask for; write the table, the JSON and the plot."""
    options = _parser().parse_args(arguments)
    if options.read:
        _pages([found for path in options.read for found in pages.read(path)], options)
        return 0
    data.CACHE, real.CIFAR10 = options.cache, options.cifar10
    if options.rows:
        rows = [row for n in options.only for row in TARGETS[n].measure(options.size)]
        print(json.dumps([dataclasses.asdict(row) for row in rows]))
        return 0
    command = "python -m benchmarks.report " + " ".join(arguments or sys.argv[1:])
    found: dict[str, Any] = {
        "command": command,
        "size": options.size,
        "machine": machine.facts(),
        "targets": [],
        "curves": {},
        "seconds": {},
        "failed": {},
    }
    _measure(_chosen(options), options, found)
    _pages([found], options)
    return 1 if found["failed"] else 0


def _chosen(options: argparse.Namespace) -> list[Any]:
    """Targets by number, then curves by name: those asked for, or that suit the size."""
    if options.only:
        return list(options.only)
    fitting = [
        number for number, it in sorted(TARGETS.items()) if it.least <= options.size <= it.most
    ]
    return [*fitting, *(CURVES if options.size <= SIZES["large"] else ())]


def _measure(chosen: list[Any], options: argparse.Namespace, found: dict[str, Any]) -> None:
    """Measure one after the other; what is done is in the file, should the next one fail."""
    steps = Steps(import_extra("rich.console", "cli").Console(stderr=True))
    for number, what in enumerate(chosen):
        title = f"target {what}" if what in TARGETS else what
        steps.say(f"[{number + 1}/{len(chosen)}] {title}")
        began = time.perf_counter()
        with steps.step(title) as advance:
            advance(number, len(chosen), TARGETS[what].title if what in TARGETS else "")
            try:
                if what in TARGETS:
                    for row in _rows(what, options.size):
                        found["targets"].append(row)
                        advance(number, len(chosen), f"{row['case']}: {row['measured']:.4g}")
                else:
                    found["curves"][what] = CURVES[what](options.size)
            except (AssertionError, MemoryError, HashretError, OSError):
                # A run takes an hour: the others are worth having.
                found["failed"][title] = traceback.format_exc()
        found["seconds"][title] = round(time.perf_counter() - began, 1)
        _write(found, options.out)


def _rows(number: int, count: int) -> Iterator[dict[str, Any]]:
    for row in TARGETS[number].measure(count):
        yield {"target": number, "passed": row.passed, **dataclasses.asdict(row)}


def _write(found: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(found, indent=1) + "\n")


def _pages(reports: list[dict[str, Any]], options: argparse.Namespace) -> None:
    print("\n\n".join(pages.text(found) for found in reports))
    for found in reports:
        if found["curves"] and not options.read:
            plots.draw(found["curves"], options.out / "report.png")
    if not options.read:
        print(f"written to {options.out}")
    if options.write_docs:
        pages.write(reports, options.write_docs)


def _number_or_curve(text: str) -> Any:
    if text in CURVES:
        return text
    if text.isdigit() and int(text) in TARGETS:
        return int(text)
    known = ", ".join([*map(str, sorted(TARGETS)), *CURVES])
    raise argparse.ArgumentTypeError(f"expected one of {known}, got {text!r}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    add = parser.add_argument
    add(
        "--size",
        type=size,
        default=size("large"),
        help="codes: small, medium, large (default), huge, billion (only what is about so many) "
        "or a number; target 6 takes ten times as many",
    )
    add(
        "--only",
        type=_number_or_curve,
        nargs="+",
        metavar="WHAT",
        help="targets by number, and curves: latency, recall",
    )
    add("--out", type=Path, default=data.CACHE / "report", help="folder of the JSON and the plot")
    add("--cache", type=Path, default=data.CACHE, help="folder of features and learned codes")
    add("--cifar10", type=Path, help="archive or folder of CIFAR-10's JPEG files, to be hashed too")
    add(
        "--write-docs",
        type=Path,
        metavar="PAGE.md",
        help="write the page of the documentation, and PAGE.jsonl",
    )
    add(
        "--read",
        type=Path,
        nargs="+",
        metavar="report.json",
        help="measure nothing: show earlier reports, or with --write-docs make a page of them; a "
        ".jsonl has one a line",
    )
    add(
        "--rows",
        action="store_true",
        help="of targets in --only: print the rows as JSON, nothing else",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
