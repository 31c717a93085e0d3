"""The study's cells: rows of a benchmark beside the published figures, as files and tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ... import __version__
from ...evaluation.plots import Curve, write_precision_recall, write_table
from ...evaluation.protocols import protocol
from ...files import write_text
from ..benchmark.rows import KEYS, Row, is_whole, read_rows
from ..benchmark.tables import (
    Column,
    Group,
    Table,
    average,
    bounds,
    first,
    show,
    table_of,
)

__all__ = [
    "METHODS",
    "PROTOCOLS",
    "PUBLISHED",
    "Study",
    "name_of",
    "publish",
    "published",
    "read_cells",
    "write_results",
]

# The benchmark's method for each of the study's, and of the two that it is measured by.
METHODS = {"LSH": "lsh-orthogonal", "DSH": "dsh", "kNN": "knn", "classifier": "classifier"}
TITLES = {
    "LSH": "LSH",
    "DSH": "DSH",
    "kNN": "exact k-NN of HOG",
    "classifier": "plain classifier",
}
PROTOCOLS = ("fmnist-seed", "fmnist-full", "fmnist-sample")
BITS, TABLES, ALPHAS = (8, 12, 16), (8, 16), (0.005, 0.01)

# Method, tables, alpha and bits of the study's cells, in the order of its tables.
CELLS: list[tuple[str | None, int | None, float | None, int | None]] = [
    *(("LSH", tables, None, bits) for tables in TABLES for bits in BITS),
    *(("DSH", None, alpha, bits) for alpha in ALPHAS for bits in BITS),
    ("kNN", None, None, None),
    # One bit a class, so that any two classes are equally far.
    ("classifier", None, None, 10),
]

# The study's own mAP@10, by method, tables or alpha, and bits. Its database and queries are those
# of fmnist-seed; it divides by the hits and fills short lists up with relevant items.
PUBLISHED = {
    (*variant, bits): score
    for variant, scores in {
        ("LSH", 8): (0.6223, 0.6401, 0.6494),
        ("LSH", 16): (0.6775, 0.6923, 0.6940),
        ("DSH", 0.005): (0.7305, 0.7650, 0.7744),
        ("DSH", 0.01): (0.7184, 0.7576, 0.7801),
    }.items()
    for bits, score in zip(BITS, scores, strict=True)
}


@dataclass(frozen=True)
class Study:
    """Tables of what has been measured, the files written, and the runs that failed."""

    tables: tuple[Table, ...]
    files: tuple[Path, ...]
    failures: tuple[str, ...]


def read_cells(path: Path, seed: int, budget: str) -> list[Row]:
    """Return the newest row of each cell measured by this version, in the study's order.

    Methods have the study's names in them.
    """
    names = {method: name for name, method in METHODS.items()}
    cells: dict[tuple[int, int], Row] = {}
    for row in filter(is_whole, read_rows(path)):
        cell = (names.get(row["method"]), row["tables"], row["alpha"], row["bits"])
        ours = (row.get("version"), row["seed"]) == (__version__, seed)
        ours = ours and row.get("features") in (None, "hog") and row.get("budget") in (None, budget)
        if ours and cell in CELLS and row["protocol"] in PROTOCOLS:
            position = PROTOCOLS.index(row["protocol"]), CELLS.index(cell)
            cells[position] = row | {"method": cell[0]}
    return [cells[position] for position in sorted(cells)]


def write_results(folder: Path, cells: Sequence[Row]) -> list[Path]:
    """Write ``results.json`` and ``results.csv``, with the keys of every row."""
    rows = [{key: cell[key] for key in KEYS} for cell in cells]
    text = io.StringIO()
    writer = csv.DictWriter(text, KEYS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "results.json", folder / "results.csv"]
    write_text(files[0], json.dumps(rows, indent=1) + "\n")
    write_text(files[1], text.getvalue())
    return files


def publish(
    folder: Path, cells: Sequence[Row], shown: Sequence[str], failures: tuple[str, ...] = ()
) -> Study:
    """Write the files of all cells, and a table and curves of each protocol that is shown."""
    files, tables = write_results(folder, cells), []
    for name in shown:
        part = [Group((cell,)) for cell in cells if cell["protocol"] == name]
        if part:
            table = _table(name, part)
            path = folder / f"table-{name}.png"
            files.append(write_table(table.columns, table.rows, table.title, table.note, path))
            files += _curves(folder, name, part)
            tables.append(table)
    return Study(tuple(tables), tuple(files), failures)


def name_of(cell: Group) -> str:
    """Return a cell's method and its settings in words, without bits and protocol."""
    words = TITLES[cell["method"]]
    words += f", {cell['tables']} tables" if cell["tables"] else ""
    return words + (f", alpha {cell['alpha']}" if cell["alpha"] is not None else "")


def published(cell: Group) -> float | None:
    """Return the study's own figure."""
    return PUBLISHED.get((cell["method"], cell["tables"] or cell["alpha"], cell["bits"]))


def _padded(cell: Group) -> str:
    return show(cell["map10_padded"] if published(cell) else None, ".4f")


_PADDED = Column("as padded there", _padded)
_COLUMNS = (
    Column("method", name_of),
    Column("bits", first("bits", "d")),
    Column("mAP@10 (hits)", average("map10_hits", ".4f")),
    Column("study's", lambda cell: show(published(cell), ".4f")),
    _PADDED,
    Column("mAP@10 (min)", average("map10_mink", ".4f")),
    Column("mAP@all", average("map_all", ".4f")),
    Column("bounds", bounds("map_all")),
    Column("distinct codes", first("distinct_codes", ",d")),
    Column("train s", first("train_seconds", ".1f")),
    Column("query µs", first("query_microseconds", ",.0f")),
)


def _table(name: str, cells: Sequence[Group]) -> Table:
    about, padded = protocol(name), name == "fmnist-seed"
    note = (
        f"Database: {about.database}; queries: {about.queries}. Ties: {about.tie_rule}. LSH looks "
        "into the query's bucket of each table and those one bit away; mAP@all ranks all codes."
    )
    if padded:
        note += " As padded there: short lists filled up with relevant items, ties by id."
    else:
        note += " The study's figures are from fmnist-seed."
    columns = [column for column in _COLUMNS if padded or column is not _PADDED]
    return table_of(cells, columns, f"LSH and DSH against the study's figures, {name}", note)


def _curves(folder: Path, name: str, cells: Sequence[Group]) -> list[Path]:
    """Draw one picture a method; the control joins DSH, whose network it shares."""
    files = []
    for methods in (("LSH",), ("DSH", "classifier")):
        curves = [
            Curve(
                f"{name_of(cell)}, {cell['bits']} bits",
                np.array(cell["curves"]["precision"]),
                np.array(cell["curves"]["recall"]),
            )
            for cell in cells
            if cell["method"] in methods
        ]
        if curves:
            path = folder / f"precision-recall-{methods[0].lower()}-{name}.png"
            title = f"{methods[0]}: precision and recall by Hamming radius, {name}"
            files.append(write_precision_recall(curves, title, path))
    return files
