"""Measure the targets and print a table: ``python -m benchmarks.report --help``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from . import curves, data, machine, pages, plots
from .sizes import size
from .targets import TARGETS, Row

Results = dict[int, list[Row]]


def main(arguments: list[str] | None = None) -> int:
    """Measure what the arguments ask for; write the table, the JSON and the plot."""
    options = _parser().parse_args(arguments)
    numbers = options.only or sorted(TARGETS)
    results = measure(numbers, options.size)
    if options.rows:
        print(json.dumps([dataclasses.asdict(row) for rows in results.values() for row in rows]))
        return 0
    found: dict[str, Any] = {
        "command": "python -m benchmarks.report " + " ".join(arguments or sys.argv[1:]),
        "size": options.size,
        "machine": machine.facts(),
        "targets": [
            {"target": number, "passed": row.passed, **dataclasses.asdict(row)}
            for number, rows in results.items()
            for row in rows
        ],
    }
    if not options.only:
        found["curves"] = {name: run(options.size) for name, run in CURVES.items()}
    print(pages.text(found))
    _write(found, options.out)
    if options.write_docs:
        pages.write(found, options.write_docs)
    return 0


CURVES = {"latency": curves.latency, "recall": curves.recall}


def measure(numbers: list[int], count: int) -> Results:
    """Measure targets one after the other, telling which one runs."""
    results: Results = {}
    for number in numbers:
        print(f"target {number}: {TARGETS[number].title}", file=sys.stderr, flush=True)
        results[number] = list(TARGETS[number].measure(count))
    return results


def _write(found: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(found, indent=1) + "\n")
    if "curves" in found:
        plots.draw(found["curves"], folder / "report.png")
    print(f"written to {folder}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument(
        "--size",
        type=size,
        default=size("large"),
        help="codes: small, medium, large (default) or a number; target 6 takes ten times as many",
    )
    parser.add_argument(
        "--only", type=int, nargs="+", choices=sorted(TARGETS), help="targets to measure"
    )
    parser.add_argument(
        "--out", type=Path, default=data.CACHE / "report", help="folder of the JSON and the plot"
    )
    parser.add_argument(
        "--write-docs", type=Path, metavar="PAGE.md", help="write the page of the documentation"
    )
    parser.add_argument("--rows", action="store_true", help="print the rows as JSON, nothing else")
    return parser


if __name__ == "__main__":
    sys.exit(main())
