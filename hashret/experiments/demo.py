"""The demo: from photographs of clothes to codes, indexes and a page of answers, offline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import Index
from ..codes import Codes
from ..datasets import fashion_mnist_sample
from ..errors import ParameterError, import_extra
from ..evaluation.protocols import Split, protocol
from .contact_sheet import write_png
from .gallery import Gallery, Method, Tile, collect_hits, write_html
from .retrieval import DEPTH, Scores, score_index, time_queries
from .steps import Steps

__all__ = ["COLUMNS", "Demo", "run_demo"]

PROTOCOL = "fmnist-sample"
BITS, TABLES, EPOCHS, BATCH = 16, 8, 16, 64
# LSH looks into each table's bucket of the query and into those one bit away: in so small a
# database the first alone holds too few images.
PROBES = BITS + 1

COLUMNS = (
    "method",
    "bits",
    "tables",
    "protocol",
    "mAP@10 (hits)",
    "bounds",
    "recall@R",
    "p50 µs",
    "p99 µs",
    "distinct codes",
    "bytes an image",
)
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


@dataclass(frozen=True)
class Demo:
    """What the demo made: the table's rows, and the files."""

    rows: tuple[tuple[str, ...], ...]
    sheet: Path
    page: Path


@dataclass(frozen=True)
class _Contender:
    """A method's codes in its index, and the codes of the queries."""

    name: str
    detail: str
    tables: int | None
    probes: int
    index: Index
    codes: Codes
    queries: Codes


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
    split = protocol(PROTOCOL).split(fashion_mnist_sample())
    contenders = (_train_dsh(split, seed, steps), _fit_lsh(split, seed, steps))
    with steps.step("Asking, one query at a time"):
        rows = tuple(_measure(contender, split) for contender in contenders)
    with steps.step("Drawing the answers"):
        gallery = _gallery(contenders, split, rows, queries, seed)
        sheet = write_png(gallery, folder / "contact-sheet.png")
        page = write_html(gallery, folder / "gallery.html")
    return Demo(rows, sheet, page)


def _train_dsh(split: Split, seed: int, steps: Steps) -> _Contender:
    deep = import_extra("hashret.deep", "torch")
    title = f"Training DSH, {BITS} bits, {EPOCHS} epochs"
    with steps.step(title) as advance, _one_thread():
        hasher = deep.DeepHasher(
            loss="dsh",
            bits=BITS,
            epochs=EPOCHS,
            batch_size=BATCH,
            random_state=seed,
            progress=lambda now: advance(
                (now.epoch - 1) * now.steps + now.step,
                now.epochs * now.steps,
                f"epoch {now.epoch}/{now.epochs}, loss {now.loss:.2f}",
            ),
        )
        hasher.fit(split.train_images, split.train_labels)
        codes = hasher.transform(split.database_images)
        queries = hasher.transform(split.query_images)
    index = Index(BITS, kind="scan")
    index.add(codes)
    return _Contender("DSH", f"{BITS} learned bits", None, 1, index, codes, queries)


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


def _fit_lsh(split: Split, seed: int, steps: Steps) -> _Contender:
    from ..encoders import RandomProjectionLSH
    from ..features import hog

    with steps.step(f"Fitting LSH over HOG, {TABLES} tables of {BITS} bits") as advance:
        features = hog(
            split.database_images, progress=lambda done, total: advance(done, total, "HOG")
        )
        encoder = RandomProjectionLSH(BITS, TABLES, "orthogonal", random_state=seed).fit(features)
        codes, queries = encoder.transform(features), encoder.transform(hog(split.query_images))
    index = Index(BITS * TABLES, kind="lsh", tables=TABLES)
    index.add(codes)
    detail = f"over HOG, {TABLES} tables of {BITS} random bits"
    return _Contender("LSH", detail, TABLES, PROBES, index, codes, queries)


def _measure(contender: _Contender, split: Split) -> tuple[str, ...]:
    scores: Scores = score_index(
        contender.index,
        contender.queries,
        contender.codes,
        split.query_labels,
        split.database_labels,
        contender.probes,
    )
    times = time_queries(contender.index, contender.queries, contender.probes)
    p50, p99 = np.percentile(times, [50, 99])
    expected, low, high = scores.map10_hits
    return (
        contender.name,
        str(BITS),
        "-" if contender.tables is None else str(contender.tables),
        PROTOCOL,
        f"{expected:.3f}",
        f"{low:.3f} to {high:.3f}",
        f"{scores.recall:.3f}",
        f"{p50:.0f}",
        f"{p99:.0f}",
        f"{scores.distinct_codes:,}",
        str(contender.codes.shape[1]),
    )


def _gallery(
    contenders: tuple[_Contender, ...],
    split: Split,
    rows: tuple[tuple[str, ...], ...],
    count: int,
    seed: int,
) -> Gallery:
    shown = _take_turns(split.query_labels, count, seed)
    return Gallery(
        title="Similar clothes by binary hash",
        subtitle=(
            f"The ten nearest of {len(split.database_images):,} photographs by Hamming distance, "
            f"for {count} queries drawn at random; protocol {PROTOCOL}, seed {seed}."
        ),
        queries=tuple(
            Tile(split.query_images[i], split.class_names[split.query_labels[i]]) for i in shown
        ),
        methods=tuple(_answers(contender, split, shown) for contender in contenders),
        columns=COLUMNS,
        rows=rows,
        notes=NOTES,
        credits=CREDITS,
    )


def _answers(contender: _Contender, split: Split, shown: list[int]) -> Method:
    distances, ids = contender.index.search(
        contender.queries[shown], DEPTH, probes=contender.probes
    )
    hits = collect_hits(
        split.database_images,
        split.database_labels,
        split.class_names,
        distances,
        ids,
        split.query_labels[shown],
    )
    return Method(contender.name, contender.detail, hits)


def _take_turns(labels: np.ndarray, count: int, seed: int) -> list[int]:
    """Return `count` random rows, the classes taking turns: none is picked for its looks."""
    rng = np.random.default_rng(seed)
    classes = np.unique(labels)
    drawn = [rng.permutation(np.flatnonzero(labels == label)) for label in classes]
    return [int(drawn[i % len(classes)][i // len(classes)]) for i in range(count)]
