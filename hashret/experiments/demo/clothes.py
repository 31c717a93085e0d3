"""The demo: from photographs of clothes to codes, indexes and a page of answers, offline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import ParameterError
from ...extras import import_extra
from ..benchmark.inputs import Inputs, Source
from ..benchmark.measure import Encoded, encode
from ..benchmark.runs import Run, list_runs
from ..benchmark.suites import Suite
from ..benchmark.tables import Column, Group, average, bounds, first, table_of
from ..gallery.answers import Answers, Gallery, Tile, collect_hits
from ..gallery.page import write_html
from ..gallery.sheet import write_png
from ..scoring import DEPTH, figures
from ..steps import Steps

__all__ = ["COLUMNS", "Demo", "run_demo"]

PROTOCOL = "fmnist-sample"
BITS, TABLES, EPOCHS, BATCH = 16, 8, 16, 64

NOTES = (
    "mAP@10 (hits): mean average precision of the first ten answers, divided by the right ones "
    "among them; expected over random order of images at equal distance, with the worst and the "
    "best order as bounds.",
    "recall@R: share of the R images of the query's class that are among the first R answers.",
    "p50, p99: microseconds in which the native index answers half and 99% of single queries, on "
    "one thread; the time to compute a query's code is not in it.",
    "DSH learns from the labels of the database images; its index compares every code. LSH uses "
    "no labels, and looks into the query's bucket of each table and the buckets one bit away.",
)
CREDITS = (
    "Images: a sample of Fashion-MNIST, copyright 2017 Zalando SE, MIT licence; Han Xiao, Kashif "
    "Rasul, Roland Vollgraf, arXiv:1708.07747."
)


_CELLS = (
    Column("method", first("method")),
    Column("bits", lambda _: str(BITS)),
    Column("tables", first("tables")),
    Column("protocol", lambda _: PROTOCOL),
    Column("mAP@10 (hits)", average("map10_hits")),
    Column("bounds", bounds("map10_hits")),
    Column("recall@R", average("recall")),
    Column("p50 µs", first("p50", ".0f")),
    Column("p99 µs", first("p99", ".0f")),
    Column("distinct codes", first("distinct_codes", ",")),
    Column("bytes an image", first("bytes")),
)
COLUMNS = tuple(column.head for column in _CELLS)


@dataclass(frozen=True)
class Demo:
    """What the demo made: the table's rows, and the files."""

    rows: tuple[tuple[str, ...], ...]
    sheet: Path
    page: Path


@dataclass(frozen=True)
class _Contender:
    """A method's name, what it does in words, and its codes in their index."""

    name: str
    detail: str
    encoded: Encoded


def run_demo(out: str | Path, seed: int = 0, queries: int = 10, steps: Steps | None = None) -> Demo:
    """Train and fit, index, search and show, on the sample in the package.

    Parameters
    ----------
    out : path
        Folder for ``contact-sheet.png`` and ``gallery.html``; made if it is missing.
    seed : int
    queries : int
        How many queries the pictures show, 1 to 100; the classes take turns.
    steps : Steps, optional
        Where to report.
    """
    if not 1 <= queries <= 100:
        raise ParameterError(f"queries: expected 1 to 100, got {queries}")
    steps = steps or Steps()
    # What would fail only after the training fails now.
    import_extra("matplotlib", "plot")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    source = Source("fashion-mnist-sample", Steps())
    images = source.inputs(PROTOCOL, seed)
    contenders = [_encode(run, source, steps) for run in list_runs(_suite(), first_seed=seed)]
    with steps.step("Asking, one query at a time"):
        measured = [_measure(contender, images) for contender in contenders]
        rows = table_of(measured, _CELLS).rows
    with steps.step("Drawing the answers"):
        gallery = _gallery(contenders, images, rows, queries, seed)
        sheet = write_png(gallery, folder / "contact-sheet.png")
        page = write_html(gallery, folder / "gallery.html")
    return Demo(rows, sheet, page)


def _suite() -> Suite:
    return Suite(
        dataset="fashion-mnist-sample",
        protocols=(PROTOCOL,),
        bits=(BITS,),
        features="hog",
        variants={"dsh": ({},), "lsh-orthogonal": ({"tables": TABLES},)},
        settings=lambda budget, protocol: {"epochs": EPOCHS, "batch_size": BATCH},
    )


def _encode(run: Run, source: Source, steps: Steps) -> _Contender:
    if run.method == "dsh":
        name, detail = "DSH", f"{BITS} learned bits"
        title = f"Training DSH, {BITS} bits, {EPOCHS} epochs"
    else:
        name, detail = "LSH", f"over HOG, {TABLES} tables of {BITS} random bits"
        title = f"Fitting LSH over HOG, {TABLES} tables of {BITS} bits"
    with steps.step(title) as advance, _one_thread():
        inputs = source.inputs(PROTOCOL, run.seed, run.features)
        return _Contender(name, detail, encode(run, source, inputs, advance))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread.

    Batches this small gain little from a second one, lose much to it on a busy machine, and the
    same seed then gives the same codes whatever the number of cores.
    """
    torch = import_extra("torch", "torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _measure(contender: _Contender, inputs: Inputs) -> Group:
    encoded = contender.encoded
    tables = TABLES if encoded.index.kind == "lsh" else None
    row = {"method": contender.name, "tables": tables, "bytes": encoded.codes.shape[1]}
    times = zip(("p50", "p99"), np.percentile(encoded.time(), [50, 99]), strict=True)
    return Group((row | figures(encoded.score(inputs)) | dict(times),))


def _gallery(
    contenders: Sequence[_Contender],
    images: Inputs,
    rows: tuple[tuple[str, ...], ...],
    count: int,
    seed: int,
) -> Gallery:
    shown = _take_turns(images.query_labels, count, seed)
    return Gallery(
        title="Similar clothes by binary hash",
        subtitle=(
            f"The ten nearest of {len(images.database):,} photographs by Hamming distance, "
            f"for {count} queries drawn at random; protocol {PROTOCOL}, seed {seed}."
        ),
        queries=tuple(
            Tile(images.queries[i], images.class_names[images.query_labels[i]]) for i in shown
        ),
        methods=tuple(_answers(contender, images, shown) for contender in contenders),
        columns=COLUMNS,
        rows=rows,
        notes=NOTES,
        credits=CREDITS,
    )


def _answers(contender: _Contender, images: Inputs, shown: list[int]) -> Answers:
    encoded = contender.encoded
    found = encoded.index.search(encoded.queries[shown], DEPTH, probes=encoded.probes)
    hits = collect_hits(
        images.database,
        images.database_labels,
        images.class_names,
        *found,
        images.query_labels[shown],
    )
    return Answers(contender.name, contender.detail, hits)


def _take_turns(labels: np.ndarray, count: int, seed: int) -> list[int]:
    """Return `count` random rows, the classes taking turns: none is picked for its looks."""
    rng = np.random.default_rng(seed)
    classes = np.unique(labels)
    drawn = [rng.permutation(np.flatnonzero(labels == label)) for label in classes]
    return [int(drawn[i % len(classes)][i // len(classes)]) for i in range(count)]
