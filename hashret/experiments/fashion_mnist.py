"""The study of LSH on HOG against DSH, on Fashion-MNIST, measured again cell by cell.

The study has two tables of mAP@10: LSH with 8 and 16 tables and DSH with alpha 0.005 and 0.01, each
at 8, 12 and 16 bits. Its database is what is called ``fmnist-seed`` here; ``fmnist-full`` is the
same on the whole data set. Beside them stand exact k-NN over the HOG features, which LSH can at
best reach, and a plain classifier of DSH's network, which a supervised code has to beat.

A row is written as soon as it is measured. A run into the same folder goes on where the last one
stopped.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .. import Index
from ..datasets import Dataset, fashion_mnist, fashion_mnist_sample
from ..errors import ParameterError, import_extra
from ..evaluation.protocols import Split, protocol
from .results import Cell, Result, Study, publish, read_results, write_result
from .retrieval import Scores, exact_scores, score_index, time_queries
from .steps import Advance, Steps

__all__ = ["METHODS", "PROTOCOLS", "plan", "run_study"]

METHODS = ("LSH", "DSH", "kNN", "classifier")
PROTOCOLS = ("fmnist-seed", "fmnist-full", "fmnist-sample")
BITS, TABLES, ALPHAS = (8, 12, 16), (8, 16), (0.005, 0.01)

# Passes over the training images: the study's twenty, and fewer where an epoch has ten times the
# steps. A cell then trains for minutes on two cores.
EPOCHS = {"fmnist-seed": 20, "fmnist-full": 8, "fmnist-sample": 20}
QUICK_EPOCHS = 1


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
        Folder for ``results.json``, ``results.csv``, the pictures, and a file a cell.
    only : sequence of str, optional
        Methods, of :data:`METHODS` in any case; all by default.
    protocols : sequence of str, optional
        Of :data:`PROTOCOLS`; by default ``fmnist-seed`` and ``fmnist-full``, or, if `quick`,
        ``fmnist-sample``.
    seed : int
    quick : bool
        One epoch: to see that everything runs. Its scores say nothing about a method.
    data : path, optional
        Folder of Fashion-MNIST; see :func:`hashret.datasets.fashion_mnist`.
    download : bool
    steps : Steps, optional
        Where to report.

    Raises
    ------
    ParameterError
        If a method or protocol is unknown.
    DatasetNotFoundError
        If Fashion-MNIST is needed and nowhere; the message names the ways to get it.
    """
    steps = steps or Steps()
    methods = _choose("only", only, METHODS) or METHODS
    names = _choose("protocol", protocols, PROTOCOLS)
    names = names or (PROTOCOLS[2:] if quick else PROTOCOLS[:2])
    # What would fail only after the training fails now.
    import_extra("matplotlib", "plot")
    folder = Path(out)
    benches = {name: _Bench(name, data, download, steps) for name in names}
    todo = [
        cell
        for name in names
        for cell in plan(name, seed, quick)
        if cell.method in methods and read_results(folder, [cell]) == []
    ]
    for bench in {cell.protocol: benches[cell.protocol] for cell in todo}.values():
        bench.split  # noqa: B018  # a missing data set is an error before hours of work
    for cell in todo:
        write_result(folder, _measure(cell, benches[cell.protocol], steps))
        publish(folder, _wanted(seed, quick))
    return publish(folder, _wanted(seed, quick), shown=names, pictures=True)


def plan(name: str, seed: int, quick: bool = False) -> list[Cell]:
    """Return the cells of a protocol, in the order of the study's tables."""
    epochs = QUICK_EPOCHS if quick else EPOCHS[name]
    return [
        *(Cell("LSH", name, seed, bits=b, tables=t) for t in TABLES for b in BITS),
        *(Cell("DSH", name, seed, bits=b, alpha=a, epochs=epochs) for a in ALPHAS for b in BITS),
        Cell("kNN", name, seed),
        # One bit a class, so that any two classes are equally far.
        Cell("classifier", name, seed, bits=10, epochs=epochs),
    ]


def _wanted(seed: int, quick: bool) -> list[Cell]:
    return [cell for name in PROTOCOLS for cell in plan(name, seed, quick)]


def _choose(
    argument: str, given: Sequence[str] | None, known: tuple[str, ...]
) -> tuple[str, ...] | None:
    by_lower = {name.lower(): name for name in known}
    for name in given or ():
        if name.lower() not in by_lower:
            raise ParameterError(f"{argument}: expected one of {', '.join(known)}, got {name!r}")
    return tuple(dict.fromkeys(by_lower[name.lower()] for name in given or ())) or None


class _Bench:
    """A protocol's images, and what several cells share, made when first needed."""

    def __init__(self, name: str, data: str | Path | None, download: bool, steps: Steps) -> None:
        self.name, self.data, self.download, self.steps = name, data, download, steps

    @cached_property
    def split(self) -> Split:
        with self.steps.step(f"Reading {self.name}") as advance:
            return protocol(self.name).split(self._dataset(advance))

    def _dataset(self, advance: Advance) -> Dataset:
        if self.name == "fmnist-sample":
            return fashion_mnist_sample()
        return fashion_mnist(
            self.data, self.download, lambda done, total: advance(done, total, "downloading")
        )

    @cached_property
    def features(self) -> tuple[Any, Any]:
        from ..features import hog

        with self.steps.step(f"HOG features of {self.name}") as advance:
            database = hog(
                self.split.database_images, progress=lambda done, total: advance(done, total, "")
            )
            return database, hog(self.split.query_images)


def _measure(cell: Cell, bench: _Bench, steps: Steps) -> Result:
    _ = bench.features if cell.method in ("LSH", "kNN") else None  # its time is told apart
    with steps.step(cell.title) as advance:
        if cell.method == "kNN":
            split = bench.split
            scores, microseconds = exact_scores(
                *bench.features, split.database_labels, split.query_labels, advance
            )
            return Result.of(cell, scores, None, microseconds)
        return _measure_codes(cell, bench, advance)


def _measure_codes(cell: Cell, bench: _Bench, advance: Advance) -> Result:
    split = bench.split
    start = time.perf_counter()
    if cell.method == "LSH":
        encoder, (images, query_images) = _lsh(cell, bench), bench.features
        encoder.fit(images)
        index = Index(encoder.code_bits, kind="lsh", tables=cell.tables)
    else:
        encoder, images, query_images = (
            _deep(cell, advance),
            split.database_images,
            split.query_images,
        )
        encoder.fit(split.train_images, split.train_labels)
        index = Index(encoder.bits, kind="scan")
    seconds = time.perf_counter() - start
    advance(1, 1, "scoring")
    codes, queries = encoder.transform(images), encoder.transform(query_images)
    index.add(codes)
    probes = cell.bits + 1 if index.kind == "lsh" and cell.bits else 1
    scores: Scores = score_index(
        index, queries, codes, split.query_labels, split.database_labels, probes
    )
    times = time_queries(index, queries, probes)
    return Result.of(cell, scores, seconds, float(np.median(times)))


def _lsh(cell: Cell, bench: _Bench) -> Any:
    encoders: Any = import_extra("hashret.encoders", "images")
    # Orthogonal directions estimate angles with less variance (Ji et al., NIPS 2012).
    return encoders.RandomProjectionLSH(
        bits=cell.bits, tables=cell.tables, distribution="orthogonal", random_state=cell.seed
    )


def _deep(cell: Cell, advance: Advance) -> Any:
    deep: Any = import_extra("hashret.deep", "torch")
    losses: Any = import_extra("hashret.deep.losses", "torch")
    loss = losses.DSH(alpha=cell.alpha) if cell.method == "DSH" else losses.Classifier("one-hot")
    return deep.DeepHasher(
        loss=loss,
        bits=cell.bits,
        epochs=cell.epochs,
        random_state=cell.seed,
        progress=lambda now: advance(
            (now.epoch - 1) * now.steps + now.step,
            now.epochs * now.steps,
            f"epoch {now.epoch}/{now.epochs}, loss {now.loss:.2f}",
        ),
    )
