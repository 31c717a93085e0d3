"""Cells of a study, their results in files, and the tables and pictures made of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..evaluation.plots import Curve, write_precision_recall, write_table
from ..evaluation.protocols import protocol
from ..files import write_text
from .retrieval import Scores

__all__ = ["KEYS", "STUDY", "Cell", "Result", "Study", "Table", "publish", "read_results"]

KEYS = (
    "method",
    "protocol",
    "bits",
    "tables",
    "alpha",
    "seed",
    "map10_hits",
    "map10_mink",
    "map_all",
    "map_all_low",
    "map_all_high",
    "distinct_codes",
    "train_seconds",
    "query_microseconds",
)

# The study's own mAP@10, by method, tables or alpha, and bits. Its database and queries are those
# of fmnist-seed; it divides by the hits and fills short lists up with relevant items.
STUDY = {
    ("LSH", 8, 8): 0.6223,
    ("LSH", 8, 12): 0.6401,
    ("LSH", 8, 16): 0.6494,
    ("LSH", 16, 8): 0.6775,
    ("LSH", 16, 12): 0.6923,
    ("LSH", 16, 16): 0.6940,
    ("DSH", 0.005, 8): 0.7305,
    ("DSH", 0.005, 12): 0.7650,
    ("DSH", 0.005, 16): 0.7744,
    ("DSH", 0.01, 8): 0.7184,
    ("DSH", 0.01, 12): 0.7576,
    ("DSH", 0.01, 16): 0.7801,
}

COLUMNS = (
    "method",
    "bits",
    "mAP@10 (hits)",
    "study's",
    "as padded there",
    "mAP@10 (min)",
    "mAP@all",
    "bounds",
    "distinct codes",
    "train s",
    "query µs",
)
NAMES = {"LSH": "LSH", "DSH": "DSH", "kNN": "exact k-NN of HOG", "classifier": "plain classifier"}


@dataclass(frozen=True)
class Cell:
    """What is measured: a method with its settings under a protocol."""

    method: str
    protocol: str
    seed: int
    bits: int | None = None
    tables: int | None = None
    alpha: float | None = None
    epochs: int | None = None

    @property
    def name(self) -> str:
        """The settings in words, without bits and protocol."""
        variant = f", {self.tables} tables" if self.tables else ""
        variant += f", alpha {self.alpha}" if self.alpha is not None else ""
        return NAMES[self.method] + variant

    @property
    def title(self) -> str:
        """All in words."""
        return f"{self.name}{f', {self.bits} bits' if self.bits else ''} ({self.protocol})"

    @property
    def file(self) -> str:
        """A file name that differs where a setting does."""
        parts = [
            f"{key}{value}" if key in ("bits", "tables", "alpha", "seed", "epochs") else str(value)
            for key, value in asdict(self).items()
            if value is not None
        ]
        return "-".join(parts) + ".json"

    @property
    def study(self) -> float | None:
        """The study's own figure."""
        variant = self.tables if self.method == "LSH" else self.alpha
        return STUDY.get((self.method, variant or 0, self.bits or 0))


@dataclass(frozen=True)
class Result:
    """A measured cell: its row of ``results.json``, and what is shown beside it."""

    cell: Cell
    row: dict[str, Any]
    padded: float
    precision: list[float]
    recall: list[float]

    @classmethod
    def of(
        cls, cell: Cell, scores: Scores, train_seconds: float | None, query_microseconds: float
    ) -> Result:
        """Make a result of scores and times."""
        whole, low, high = scores.map_all
        measured = {
            "map10_hits": scores.map10_hits[0],
            "map10_mink": scores.map10_mink,
            "map_all": whole,
            "map_all_low": low,
            "map_all_high": high,
            "distinct_codes": scores.distinct_codes,
            "train_seconds": train_seconds,
            "query_microseconds": query_microseconds,
        }
        row = {key: (asdict(cell) | measured)[key] for key in KEYS}
        row = {key: float(v) if isinstance(v, np.floating) else v for key, v in row.items()}
        curve = scores.precision.tolist(), scores.recall_curve.tolist()
        return cls(cell, row, float(scores.map10_padded), *curve)


@dataclass(frozen=True)
class Table:
    """A table to print or to draw."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


@dataclass(frozen=True)
class Study:
    """Tables of what has been measured, and the files written."""

    tables: tuple[Table, ...]
    files: tuple[Path, ...]


def write_result(folder: Path, result: Result) -> None:
    """Write a cell's file, whole or not at all."""
    cells = folder / "cells"
    cells.mkdir(parents=True, exist_ok=True)
    content = {"version": __version__} | asdict(result)
    write_text(cells / result.cell.file, json.dumps(content, indent=1) + "\n")


def read_results(folder: Path, cells: Iterable[Cell]) -> list[Result]:
    """Return the results of those cells that are in the folder, measured by this version."""
    return [result for cell in cells if (result := _read(folder / "cells" / cell.file, cell))]


def _read(path: Path, cell: Cell) -> Result | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content.pop("version")
        stored = Result(**(content | {"cell": Cell(**content["cell"])}))
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None  # absent or damaged: measured again
    same = version == __version__ and stored.cell == cell and tuple(stored.row) == KEYS
    return stored if same else None


def publish(
    folder: Path, cells: Sequence[Cell], shown: Sequence[str] = (), pictures: bool = False
) -> Study:
    """Write ``results.json`` and ``results.csv`` of the cells measured so far.

    With `pictures` also a table and precision-recall curves of each protocol in `shown`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results = read_results(folder, cells)
    rows = [result.row for result in results]
    files = [folder / "results.json", folder / "results.csv"]
    write_text(files[0], json.dumps(rows, indent=1) + "\n")
    write_text(files[1], _csv(rows))
    if not pictures:
        return Study((), tuple(files))
    tables = []
    for name in shown:
        part = [result for result in results if result.cell.protocol == name]
        if not part:
            continue
        tables.append(_table(name, part))
        path = folder / f"table-{name}.png"
        table = tables[-1]
        files.append(write_table(table.columns, table.rows, table.title, table.note, path))
        files += _curves(folder, name, part)
    return Study(tuple(tables), tuple(files))


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, KEYS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _table(name: str, results: list[Result]) -> Table:
    about = protocol(name)
    padded = name == "fmnist-seed"
    columns = tuple(c for c in COLUMNS if padded or c != "as padded there")
    note = (
        f"Database: {about.database}; queries: {about.queries}. Ties: {about.tie_rule}. LSH looks "
        "into the query's bucket of each table and those one bit away; mAP@all ranks all codes."
    )
    if padded:
        note += " As padded there: short lists filled up with relevant items, ties by id."
    else:
        note += " The study's figures are from fmnist-seed."
    return Table(
        f"LSH and DSH against the study's figures, {name}",
        columns,
        tuple(_table_row(result, padded) for result in results),
        note,
    )


def _table_row(result: Result, padded: bool) -> tuple[str, ...]:
    row, cell = result.row, result.cell
    return (
        cell.name,
        _number(cell.bits, "d"),
        _number(row["map10_hits"], ".4f"),
        _number(cell.study, ".4f"),
        *([_number(result.padded if cell.study else None, ".4f")] if padded else []),
        _number(row["map10_mink"], ".4f"),
        _number(row["map_all"], ".4f"),
        f"{row['map_all_low']:.3f} to {row['map_all_high']:.3f}",
        _number(row["distinct_codes"], ",d"),
        _number(row["train_seconds"], ".1f"),
        _number(row["query_microseconds"], ",.0f"),
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _curves(folder: Path, name: str, results: list[Result]) -> list[Path]:
    """Draw one picture a method; the control joins DSH, whose network it shares."""
    files = []
    for methods in (("LSH",), ("DSH", "classifier")):
        curves = [
            Curve(
                f"{result.cell.name}, {result.cell.bits} bits",
                np.array(result.precision),
                np.array(result.recall),
            )
            for result in results
            if result.cell.method in methods
        ]
        if curves:
            path = folder / f"precision-recall-{methods[0].lower()}-{name}.png"
            title = f"{methods[0]}: precision and recall by Hamming radius, {name}"
            files.append(write_precision_recall(curves, title, path))
    return files
