"""Draw docs/images/prism-gallery.png: ``python docs/make_prism_gallery.py DATA CACHE``.

The same queries under three codes of 64 bits, on Grocery's test images that nothing was trained on.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hashret.evaluation.protocols import protocol
from hashret.experiments.benchmark.inputs import Source
from hashret.experiments.benchmark.measure import fitted
from hashret.experiments.benchmark.runs import list_runs
from hashret.experiments.gallery.answers import Answers, Gallery, Hit, Tile
from hashret.experiments.gallery.sheet import write_png
from hashret.experiments.steps import Steps
from hashret.methods import method
from hashret.ranking import Hamming

PATH = Path("docs/images/prism-gallery.png")
METHODS = {
    "hashnet": "learned from labels; Hamming distance",
    "itq": "learned without labels; Hamming distance",
    "prism": "ten bits of class cells, and a rest; same class, w = 32",
}
SHOWN, QUERIES = 8, 3


def drawn(finer: npt.NDArray[np.int64], classes: npt.NDArray[np.int64]) -> list[int]:
    """Draw queries, once: of classes of more than one product, each of another class."""
    several = [c for c in np.unique(classes) if len(np.unique(finer[classes == c])) > 1]
    rng = np.random.default_rng(0)
    chosen = rng.permutation(several)[:QUERIES]
    return [int(rng.choice(np.flatnonzero(classes == c))) for c in chosen]


def answers(
    name: str, detail: str, source: Source, rows: Any, queries: list[int], names: Sequence[str]
) -> Answers:
    (run,) = list_runs("two-axis", [name], protocols=["grocery"], network="linear", device="cpu")
    inputs = source.inputs(run.protocol, run.seed, run.features)
    encoder, _ = fitted(run, source, inputs, lambda *given: None)
    database = encoder.transform(source.items(rows.others, run.features))
    asked = encoder.transform(source.items(rows.queries[queries], run.features))
    rule = encoder.ranking or Hamming(64)
    distances = rule.distances(asked, database)
    order = np.argsort(distances, axis=1, kind="stable")[:, :SHOWN]
    finer, labels = source.finer, source.labels
    assert finer is not None
    hits = tuple(
        tuple(
            Hit(
                Tile(source.items(rows.others[i : i + 1])[0], names[labels[rows.others[i]]]),
                int(distances[q, i]),
                bool(finer[rows.others[i]] == finer[rows.queries[query]]),
            )
            for i in order[q]
        )
        for q, query in enumerate(queries)
    )
    return Answers(method(name).title, detail, hits)


def names_in(data: str) -> dict[int, str]:
    """Return what the classes are called, whose names in the data set are numbers."""
    with Path(data, "grocery", "classes.csv").open(encoding="utf-8") as file:
        lines = csv.DictReader(file)
        return {
            int(line["Coarse Class ID (int)"]): line["Coarse Class Name (str)"] for line in lines
        }


def main(data: str, cache: str) -> None:
    source = Source("grocery", Steps(), Path(cache), data)
    rows = protocol("grocery").rows(source.images, 0)
    assert source.finer is not None
    assert rows.others is not None
    finer, labels = source.finer[rows.queries], source.labels[rows.queries]
    queries = drawn(finer, labels)
    known = names_in(data)
    names = [known[int(name)].replace("-", " ") for name in source.images.class_names]
    tiles = tuple(Tile(source.items(rows.queries[q : q + 1])[0], names[labels[q]]) for q in queries)
    gallery = Gallery(
        title="The same queries under three codes of 64 bits",
        subtitle="Labels say no more than what is written under the pictures. Right is the same "
        "product, which no training saw.",
        queries=tiles,
        methods=tuple(
            answers(name, detail, source, rows, queries, names) for name, detail in METHODS.items()
        ),
        legend=("the same product", "another product", "d = distance, each in its own measure"),
        credits="Photographs: Grocery Store data set, M. Klasson and others, MIT licence.",
    )
    write_png(gallery, PATH, dpi=56)


if __name__ == "__main__":
    main(*sys.argv[1:])
