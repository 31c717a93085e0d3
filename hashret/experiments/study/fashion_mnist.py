"""The study of LSH on HOG against DSH, on Fashion-MNIST, measured again cell by cell.

The study has two tables of mAP@10: LSH with 8 and 16 tables and DSH with alpha 0.005 and 0.01, each
at 8, 12 and 16 bits. Its database is what is called ``fmnist-seed`` here; ``fmnist-full`` is the
same on the whole data set. Beside them stand exact k-NN over the HOG features, which LSH
approximates, and a plain classifier of DSH's network, which a supervised code has to beat.

It is a suite of the benchmark, whose rows are kept in ``results.jsonl`` of the folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...extras import import_extra
from ..benchmark.harness import measure_missing
from ..benchmark.inputs import Source
from ..benchmark.rows import Row
from ..benchmark.runs import list_runs
from ..benchmark.suites import Suite, choose
from ..steps import Steps
from .results import (
    ALPHAS,
    BITS,
    METHODS,
    PROTOCOLS,
    TABLES,
    Study,
    publish,
    read_cells,
    write_results,
)

__all__ = ["EPOCHS", "SUITE", "run_study"]

# Passes over the training images: the study's twenty, and fewer where an epoch has ten times the
# steps. A cell then trains for minutes on two cores.
EPOCHS = {"fmnist-seed": 20, "fmnist-full": 8, "fmnist-sample": 20}


def _settings(budget: str, protocol: str) -> dict[str, Any]:
    return {"epochs": EPOCHS[protocol] if budget == "full" else 1}


SUITE = Suite(
    dataset="fashion-mnist",
    protocols=PROTOCOLS,
    bits=BITS,
    features="hog",
    variants={
        # Orthogonal directions estimate angles with less variance (Ji et al., NIPS 2012).
        METHODS["LSH"]: [{"tables": tables} for tables in TABLES],
        METHODS["DSH"]: [{"alpha": alpha} for alpha in ALPHAS],
        METHODS["kNN"]: ({},),
        METHODS["classifier"]: ({},),
    },
    settings=_settings,
)


def run_study(
    out: str | Path,
    *,
    only: Sequence[str] | None = None,
    protocols: Sequence[str] | None = None,
    seed: int = 0,
    quick: bool = False,
    data: str | Path | None = None,
    download: bool = False,
    steps: Steps | None = None,
) -> Study:
    """Measure the cells that are not in the folder yet, and write tables and curves.

    Parameters
    ----------
    out : path
        Folder for ``results.jsonl``, a row a run, ``results.json`` and ``results.csv``, the
        study's cells, the pictures, and ``cache``.
    only : sequence of str, optional
        Methods, of :data:`~.results.METHODS` in any case; all by default.
    protocols : sequence of str, optional
        Of :data:`~.results.PROTOCOLS`; by default ``fmnist-seed`` and ``fmnist-full``, or, if
        `quick`, ``fmnist-sample``.
    seed : int
    quick : bool
        One epoch: to see that everything runs. Its scores say nothing about a method.
    data : path, optional
        Folder of Fashion-MNIST; see :func:`hashret.datasets.fashion_mnist`.
    download : bool
    steps : Steps, optional
        Where to report.

    Returns
    -------
    study : Study
        A run that fails is named there and does not stop the others.

    Raises
    ------
    ParameterError
        If a method or protocol is unknown.
    DatasetNotFoundError
        If Fashion-MNIST is needed and nowhere; the message names the ways to get it.
    """
    reporter, folder = steps or Steps(), Path(out)
    budget = "quick" if quick else "full"
    names = [METHODS[name] for name in choose("only", only or METHODS, METHODS)]
    default = PROTOCOLS[2:] if quick else PROTOCOLS[:2]
    shown = choose("protocol", protocols or default, PROTOCOLS)
    # What would fail only after the training fails now.
    import_extra("matplotlib", "plot")
    path = folder / "results.jsonl"

    def open_source(name: str) -> Source:
        return Source(name, reporter, folder / "cache", data, download)

    def cells() -> list[Row]:
        return read_cells(path, seed, budget)

    report = measure_missing(
        list_runs(SUITE, names, protocols=shown, budget=budget, first_seed=seed),
        path,
        open_source,
        reporter,
        written=lambda: write_results(folder, cells()),
    )
    return publish(folder, cells(), shown, report.failures)
