"""``hashret benchmark``: methods compared on real data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ParameterError
from .printing import print_table, raise_failures, shown_steps


def benchmark(
    suite: Annotated[str, typer.Option(help="fashion-mnist, cifar10 or two-axis.")],
    methods: Annotated[
        list[str] | None, typer.Option(help="Names, with commas or repeated; all by default.")
    ] = None,
    bits: Annotated[
        list[str] | None, typer.Option(help="Lengths of a code, with commas or repeated.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds: 0, 1, ...")] = 1,
    protocol: Annotated[
        list[str] | None, typer.Option(help="Names, with commas or repeated.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Training of a run: smoke, zoo (the default) or long.")
    ] = None,
    network: Annotated[str | None, typer.Option(help="For deep methods.")] = None,
    features: Annotated[
        str | None,
        typer.Option(help="In place of images: hog, lite0, or an .npz with train and test."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Where the data set is.")] = None,
    out: Annotated[Path, typer.Option(help="File of results; only runs it lacks are measured.")] = (
        Path("hashret-benchmark/results.jsonl")
    ),
    cache: Annotated[
        Path | None, typer.Option(help="Folder for features, checkpoints and codes.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    quick: Annotated[
        bool, typer.Option("--quick", help="A first look in seconds, without data: two-axis only.")
    ] = False,
    augmented: Annotated[
        int, typer.Option(help="Also the cost among the codes of so many views: two-axis only.")
    ] = 0,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE, an option of a loss or training; may be repeated."),
    ] = None,
) -> None:
    """Compare methods on real data: a row a run in a file that an interrupt does not hurt."""
    from ..experiments.benchmark import axes_tables, tables
    from ..experiments.benchmark.harness import run_benchmark
    from ..experiments.benchmark.suites import suite_of

    report = run_benchmark(
        suite,
        out,
        methods=_apart(methods),
        bits=[_as_int(number) for number in _apart(bits) or ()],
        seeds=seeds,
        protocols=_apart(protocol),
        budget=budget,
        network=network,
        features=features,
        data=data,
        cache=cache,
        device=device,
        changes=dict(_as_change(words) for words in changes or ()),
        steps=shown_steps(),
        quick=quick,
        augmented=augmented,
    )
    words = f"Retrieval by binary hash, {suite}"
    if suite_of(suite).axes:
        table = tables.table_of(axes_tables.by_rule(report.rows), axes_tables.COLUMNS, words)
    else:
        table = tables.table_of(tables.group_rows(report.rows), tables.COLUMNS, words)
    print_table(table.title, table.columns, table.rows)
    typer.echo(str(out))
    raise_failures(report.failures)


def _apart(values: list[str] | None) -> list[str] | None:
    return [part.strip() for value in values for part in value.split(",")] if values else None


def _as_change(words: str) -> tuple[str, Any]:
    name, sign, value = words.partition("=")
    if not (name and sign):
        raise ParameterError(f"--set: expected NAME=VALUE, got {words!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _as_int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ParameterError(f"bits: expected a whole number, got {text!r}") from None
