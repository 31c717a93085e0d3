"""Methods beside each other: the same data, networks, budget and evaluation for all.

A :class:`~.runs.Run` says all that decides a result, short of the machine. Each is measured once
and its row appended to a file; a benchmark that was interrupted goes on with the runs that have no
row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ...checks import check_int
from ...errors import HashretError, ParameterError
from ..steps import Steps
from .axes import judged, measure_axes
from .inputs import Source
from .measure import measure
from .rows import Row, append_row, find_row, read_rows
from .runs import Run, list_runs
from .suites import Suite, suite_of

__all__ = ["Report", "measure_missing", "run_benchmark"]


@dataclass(frozen=True)
class _Judge:
    """How runs become rows, and what rows say of that beside the run."""

    measure: Callable[[Run, Source, Steps], Row]
    fields: Row


def _one_axis(run: Run, source: Source, steps: Steps) -> Row:
    return measure(run, source, steps)


def _judge(suite: Suite, augmented: int) -> _Judge:
    if not suite.axes:
        return _Judge(_one_axis, {})
    fields = judged() | ({"augmented": augmented} if augmented else {})
    return _Judge(partial(measure_axes, augmented=augmented), fields)


@dataclass(frozen=True)
class Report:
    """What a benchmark did: the rows of all its runs, and what failed."""

    rows: tuple[Row, ...]
    failures: tuple[str, ...]


def run_benchmark(
    suite: str | Suite,
    out: str | Path,
    *,
    data: str | Path | None = None,
    cache: str | Path | None = None,
    steps: Steps | None = None,
    quick: bool = False,
    augmented: int = 0,
    **asked: Any,
) -> Report:
    """Measure the runs that have no row in the file yet.

    Parameters
    ----------
    suite : str or Suite
        Or the name of one of :data:`~.suites.SUITES`.
    out : path
        The file of results, JSON lines; rows are only added.
    data : path, optional
        Where the data set is.
    cache : path, optional
        Folder for feature vectors, checkpoints and codes; by default ``cache`` beside `out`.
    steps : Steps, optional
        Where to report.
    quick : bool
        Ask for what the suite has for a first look, in place of its defaults.
    augmented : int
        On two axes, also measure the cost of search among the codes of so many random views.
    asked
        Methods, bits, seeds and so on, as :func:`~.runs.list_runs` takes them.

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
    chosen = suite_of(suite)
    if check_int("augmented", augmented, 0) and not chosen.axes:
        raise ParameterError("augmented: views are counted by the suite two-axis alone")
    if quick and not chosen.quick:
        raise ParameterError(f"quick: the suite {suite} has no first look")
    # What is not asked for is left to the first look's defaults, or else to the suite's.
    given = {name: value for name, value in asked.items() if value not in (None, [], {})}
    runs = list_runs(chosen, **{**(chosen.quick if quick else {}), **given})
    kept = Path(cache) if cache else path.parent / "cache"
    return measure_missing(
        runs,
        path,
        lambda name: Source(name, steps, kept, data),
        steps,
        judge=_judge(chosen, augmented),
    )


def measure_missing(
    runs: Sequence[Run],
    path: Path,
    open_source: Callable[[str], Source],
    steps: Steps,
    written: Callable[[], object] | None = None,
    judge: _Judge | None = None,
) -> Report:
    """Measure the runs that have no row in the file, a row a run as soon as it is known.

    Curves are kept of the first seed only.

    Parameters
    ----------
    open_source : callable
        Called with the name of a data set.
    written : callable, optional
        Called after every row.
    judge
        By default that of suites of one axis.
    """
    judge = judge or _Judge(_one_axis, {})
    done = read_rows(path)
    todo = [run for run in runs if find_row(run.fields() | judge.fields, done) is None]
    sources = {name: open_source(name) for name in dict.fromkeys(run.dataset for run in todo)}
    for source in sources.values():
        source.images  # noqa: B018  # a missing data set is an error before anything else
    steps.say(f"{len(runs)} runs, {len(runs) - len(todo)} of them measured already")
    first = min(run.seed for run in runs)
    failures = []
    for run in todo:
        try:
            row = judge.measure(run, sources[run.dataset], steps)
        except HashretError as error:
            failures.append(f"{run.title}: {error}")
            steps.say(f"  failed: {failures[-1]}")
            continue
        if "curves" in row and run.seed != first:
            row |= {"curves": None}
        append_row(path, row)
        if written:
            written()
    done = read_rows(path)
    rows = (find_row(run.fields() | judge.fields, done) for run in runs)
    return Report(tuple(row for row in rows if row is not None), tuple(failures))
