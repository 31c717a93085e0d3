"""Methods beside each other: the same data, networks, budget and evaluation for all.

A :class:`~hashret.experiments.plan.Run` says all that decides a result, short of the machine. Each
is measured once and its row appended to a file; a benchmark that was interrupted goes on with the
runs that have no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import HashretError
from .ledger import Row, append_row, read_rows
from .material import Material
from .measure import measure
from .plan import Run, plan
from .recipes import method
from .steps import Steps

__all__ = ["Report", "run_benchmark"]


@dataclass(frozen=True)
class Report:
    """What a benchmark did: the rows of all its runs, and what failed."""

    rows: tuple[Row, ...]
    failures: tuple[str, ...]


def run_benchmark(
    suite: str,
    out: str | Path,
    *,
    methods: Sequence[str] | None = None,
    bits: Sequence[int] | None = None,
    seeds: int = 1,
    protocols: Sequence[str] | None = None,
    budget: str = "zoo",
    network: str | None = None,
    features: str | None = None,
    data: str | Path | None = None,
    cache: str | Path | None = None,
    device: str = "auto",
    steps: Steps | None = None,
) -> Report:
    """Measure the runs that have no row in the file yet.

    Parameters
    ----------
    suite : str
        Of :data:`SUITES`.
    out : path
        The file of results, JSON lines; rows are only added.
    methods : sequence of str, optional
        Of :func:`~hashret.experiments.recipes.method_names`, all by default.
    bits : sequence of int, optional
        By default the suite's.
    seeds : int
        How many; 0 and on. What nothing random enters is measured once.
    protocols : sequence of str, optional
        By default the suite's first.
    budget : str
        Of :data:`~hashret.experiments.recipes.BUDGETS`.
    network : str, optional
        For deep methods: "linear" and "mlp" take the features, others images. By default
        "small-cnn" for Fashion-MNIST, and "mlp" for CIFAR-10 or where features are named.
    features : str, optional
        Vectors in place of images for all methods: "hog", "lite0", or an ``.npz`` file with
        arrays ``train`` and ``test``.
    data : path, optional
        Where the data set is.
    cache : path, optional
        Folder for feature vectors, checkpoints and codes; by default ``cache`` beside `out`.
    device : str
        "auto", or a device as torch names it.
    steps : Steps, optional
        Where to report.

    Returns
    -------
    report : Report
        A run that fails is named there and does not stop the others; it is tried again when
        the benchmark is run again.

    Raises
    ------
    ParameterError
        If a name, a number of bits or of seeds is not one that there is.
    DatasetNotFoundError
        If the data set is nowhere.
    FormatError
        If `out` is some other file.
    """
    steps, path = steps or Steps(), Path(out)
    runs = plan(suite, methods, bits, seeds, protocols, budget, network, features, device)
    cache = Path(cache) if cache else path.parent / "cache"
    done = read_rows(path)
    todo = [run for run in runs if find_row(run, done) is None]
    steps.say(f"{len(runs)} runs, {len(runs) - len(todo)} of them measured already")
    shared = {name: Material(name, data, cache, steps) for name in {run.dataset for run in todo}}
    for material in shared.values():
        material.images  # noqa: B018  # a missing data set is an error before anything else
    failures = []
    for run in todo:
        try:
            append_row(path, measure(run, method(run.method), shared[run.dataset], steps))
        except HashretError as error:
            failures.append(f"{run.title}: {error}")
            steps.say(f"  failed: {failures[-1]}")
    done = read_rows(path)
    rows = (find_row(run, done) for run in runs)
    return Report(tuple(row for row in rows if row is not None), tuple(failures))


def find_row(run: Run, rows: Sequence[Row]) -> Row | None:
    """Return the newest row of a run."""
    wanted = run.fields()
    matches = (
        row
        for row in reversed(rows)
        if all(name in row and row[name] == value for name, value in wanted.items())
    )
    return next(matches, None)
