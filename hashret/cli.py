"""The ``hashret`` command: parses, calls :mod:`hashret.experiments`, prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from .errors import HashretError, ParameterError, TrainingError
from .extras import import_extra

# Before anything that imports them, so that a missing one is named with its extra.
import_extra("typer", "cli")
import_extra("rich", "cli")

import typer  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from typer.core import TyperGroup  # noqa: E402


class Commands(TyperGroup):
    """A group of commands that tells an error in one line."""

    def invoke(self, ctx: Any) -> Any:
        """Run; exit with 2 on an error that has a cause outside, with 130 on Ctrl-C."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _complain("interrupted")
            # If Ctrl-C fell into some package's exec of a string, CPython would still end by the
            # signal instead of the exit code; an exec that finishes clears that.
            exec("")
            raise typer.Exit(130) from None
        except (HashretError, OSError) as error:
            _complain(str(error))
            raise typer.Exit(2) from None


app = typer.Typer(
    cls=Commands,
    help="Find similar images by binary hash.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
reproduce = typer.Typer(help="Measure published tables again.", no_args_is_help=True)
app.add_typer(reproduce, name="reproduce")


def _complain(message: str) -> None:
    typer.echo(f"hashret: {' '.join(message.split())}", err=True)


def _print_version(wanted: bool) -> None:
    if wanted:
        from . import __version__

        typer.echo(f"hashret {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Find similar images by binary hash."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("hashret-demo"),
    seed: Annotated[int, typer.Option(help="Seed of training and of the queries shown.")] = 0,
    queries: Annotated[int, typer.Option(help="How many queries to show.")] = 10,
) -> None:
    """Train DSH, fit LSH, index, search and show, on real images in the package."""
    from .experiments.demo import COLUMNS, run_demo
    from .experiments.steps import Steps

    made = run_demo(out, seed, queries, Steps(Console(stderr=True)))
    _print_table("Similar clothes by binary hash", COLUMNS, made.rows)
    typer.echo(f"contact sheet: {made.sheet}\ngallery:       {made.page}")


@reproduce.command("fashion-mnist")
def fashion_mnist(
    out: Annotated[Path, typer.Option(help="Folder for results; an interrupted run goes on.")] = (
        Path("hashret-reproduce")
    ),
    quick: Annotated[
        bool, typer.Option("--quick", help="One epoch, and the packaged sample: a smoke run.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="LSH, DSH, kNN or classifier; may be repeated.")
    ] = None,
    protocol: Annotated[
        list[str] | None, typer.Option(help="fmnist-seed or fmnist-full; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    data: Annotated[Path | None, typer.Option(help="Folder of Fashion-MNIST.")] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch Fashion-MNIST if it is nowhere.")
    ] = False,
) -> None:
    """Measure the LSH-against-DSH study's tables again, every cell."""
    from .experiments.steps import Steps
    from .experiments.study.fashion_mnist import run_study

    study = run_study(
        out,
        only=only,
        protocols=protocol,
        seed=seed,
        quick=quick,
        data=data,
        download=download,
        steps=Steps(Console(stderr=True)),
    )
    for table in study.tables:
        _print_table(table.title, table.columns, table.rows)
        typer.echo(table.note + "\n")
    for path in study.files:
        typer.echo(str(path))
    _tell_failures(study.failures)


@app.command()
def benchmark(
    suite: Annotated[str, typer.Option(help="fashion-mnist or cifar10.")],
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
    budget: Annotated[str, typer.Option(help="Training of a run: smoke, zoo or long.")] = "zoo",
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
) -> None:
    """Compare methods on real data: a row a run in a file that an interrupt does not hurt."""
    from .experiments.benchmark.harness import run_benchmark
    from .experiments.benchmark.tables import COLUMNS, group_rows, table_of
    from .experiments.steps import Steps

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
        steps=Steps(Console(stderr=True)),
    )
    table = table_of(group_rows(report.rows), COLUMNS, f"Retrieval by binary hash, {suite}")
    _print_table(table.title, table.columns, table.rows)
    typer.echo(str(out))
    _tell_failures(report.failures)


@app.command("eval")
def evaluate(
    codes: Annotated[Path, typer.Option(help="Of the database: .npy, or .npz with codes.")],
    labels: Annotated[
        Path | None, typer.Option(help=".npy, or .npz with labels; by default the codes' .npz.")
    ] = None,
    query_codes: Annotated[
        Path | None, typer.Option(help="Likewise, of the queries; in .npz: query_codes.")
    ] = None,
    query_labels: Annotated[Path | None, typer.Option(help="Likewise: query_labels.")] = None,
    bits: Annotated[int | None, typer.Option(help="Length of a code, if not all of it.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for eval.json and the pictures.")] = (
        Path("hashret-eval")
    ),
    plane: Annotated[str, typer.Option(help="Map of the codes: pca or tsne.")] = "pca",
    exclude: Annotated[
        str | None,
        typer.Option(
            help="What queries must not find: self, where they are the database, or a file with "
            "the row of each, -1 for none; in .npz: exclude."
        ),
    ] = None,
) -> None:
    """Score any codes by any labels: a table, JSON and pictures."""
    from .experiments.evaluate import COLUMNS, evaluate_files

    made = evaluate_files(
        codes,
        labels,
        query_codes,
        query_labels,
        bits,
        out=out,
        plane=plane,
        exclude=exclude,
    )
    for note in made.notes:
        typer.echo(f"hashret: {note}", err=True)
    _print_table(f"{codes.name}, ties in random order", COLUMNS, made.rows)
    for path in made.files:
        typer.echo(str(path))


@app.command()
def info() -> None:
    """Print versions, the instruction set in use, and what is installed."""
    from .experiments.info import describe

    facts = describe()
    width = max(len(name) for name, _ in facts)
    for name, fact in facts:
        typer.echo(f"{name:<{width}}  {fact}")


def _tell_failures(failures: tuple[str, ...]) -> None:
    if failures:
        raise TrainingError(f"{len(failures)} runs failed; {'; '.join(failures)}")


def _apart(values: list[str] | None) -> list[str] | None:
    return [part.strip() for value in values for part in value.split(",")] if values else None


def _as_int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ParameterError(f"bits: expected a whole number, got {text!r}") from None


def _print_table(title: str, columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> None:
    console = Console()
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    # In a file or a pipe the table keeps its full width: a wrapped row is hard to read by machine.
    if not console.is_terminal:
        console = Console(width=max(console.width, 200))
    console.print(table)
