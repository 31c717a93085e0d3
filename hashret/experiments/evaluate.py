"""Scores and pictures of anybody's codes and labels."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import Index, __version__
from ..errors import ParameterError
from ..evaluation.charts import Distances, write_distances
from ..evaluation.code_map import write_code_map
from ..evaluation.histograms import Exclude, as_excluded
from ..evaluation.labels import bears_label, match_labels
from ..evaluation.plots import Curve, write_precision_recall
from ..evaluation.ranked import relevant_totals
from ..extras import import_extra
from ..files import write_text
from ..types import Codes
from .given import parse_codes, read_array
from .scoring import curves, figures, score_index, time_queries

__all__ = ["COLUMNS", "Evaluation", "evaluate", "evaluate_files"]

COLUMNS = ("measure", "value", "worst order of ties", "best order")

# Names as they are printed, by key of a row; the bounds are in ..._low and ..._high.
_MEASURES = {
    "map10_hits": "mAP@10 (hits)",
    "map10_mink": "mAP@10 (min)",
    "map1000_hits": "mAP@1000 (hits)",
    "map_all": "mAP@all",
    "precision": "precision of the first 10",
    "recall": "recall of the first R",
    "precision_radius2": "precision at radius 2",
    "bucket_length": "expected bucket length",
}


@dataclass(frozen=True)
class Evaluation:
    """What was measured, as a table, the files written, and what a reader should know."""

    rows: tuple[tuple[str, ...], ...]
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def evaluate(
    codes: npt.ArrayLike,
    labels: npt.ArrayLike,
    query_codes: npt.ArrayLike,
    query_labels: npt.ArrayLike,
    bits: int | None = None,
    *,
    out: str | Path,
    name: str = "codes",
    plane: str = "pca",
    exclude: Exclude = None,
) -> Evaluation:
    """Score codes, write ``eval.json`` and pictures into a folder, and return a table.

    An item is relevant to a query if their labels are equal, or, where images have several, if
    they share one. There is no map of codes with several labels. An item without label is
    relevant to nothing, and a query without one scores 0 and counts; the notes say how many.

    Parameters
    ----------
    codes, query_codes : array_like
        Packed, uint8 (n, ceil(bits / 8)) or uint64 (n, ceil(bits / 64)); or a column a bit:
        booleans, 0 and 1, -1 and +1, or margins, of which those > 0 are 1. With `bits`, int8 may
        be packed too, as sentence-transformers and Vespa have them.
    labels, query_labels : array_like, shape (n,) or (n, classes)
        Integers or strings, or a table of 0 and 1 with a column a class; -1, None, NaN, or a row
        of them where a label is missing. See :mod:`hashret.evaluation.labels`.
    bits : int, optional
        By default 8 a byte of packed codes, one a column of others. Needed for other whole
        numbers than 0, 1 and -1, which may be either.
    out : path
        Made if it is missing.
    name : str
        For the pictures' titles.
    plane : {"pca", "tsne"}
        How the map of codes is made.
    exclude : "self" or array_like of int, shape (n_queries,), optional
        The row of the database that each query must not find, -1 for none; see
        :func:`hashret.evaluation.distance_histograms`. A note says where the queries look as if
        they were in the database.

    Raises
    ------
    ShapeError, DTypeError, CodeError, ParameterError
        If the arrays do not fit each other.
    """
    if plane not in ("pca", "tsne"):
        raise ParameterError(f"plane: expected pca or tsne, got {plane!r}")
    # What would fail only after the counting fails now.
    import_extra("matplotlib", "plot")
    packed, queries, length = parse_codes(codes, query_codes, bits)
    wanted, present = match_labels(query_labels, labels, len(queries), len(packed))
    excluded = as_excluded(exclude, len(queries), len(packed))
    index = Index(length)
    index.add(packed)
    scores = score_index(index, queries, packed, wanted, present, exclude=excluded)
    found = figures(scores) | {"bits": length, "database": len(packed), "queries": len(queries)}
    found["unlabelled"], found["unlabelled_queries"] = _unlabelled(present), _unlabelled(wanted)
    totals = relevant_totals(wanted, present, exclude=excluded)
    found["unanswerable"] = int(np.count_nonzero(totals == 0))
    found["excluded"] = 0 if excluded is None else int(np.count_nonzero(excluded >= 0))
    found["query_microseconds"] = float(np.median(time_queries(index, queries)))
    lines = curves(scores)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    files = [_write_json(folder / "eval.json", found | {"curves": lines, "version": __version__})]
    title = f"{name}, {length} bits"
    files += _pictures(folder, title, {key: np.array(line) for key, line in lines.items()})
    if len(queries) >= 3 and wanted.ndim == 1:
        path = folder / "code-map.png"
        files.append(write_code_map(queries, length, query_labels, title, path, method=plane))
    known = "" if excluded is not None else _known(queries, packed, wanted, present)
    notes = _notes(found, known)
    return Evaluation(_table(found), tuple(files), notes)


def _unlabelled(labels: npt.NDArray[Any]) -> int:
    return int(np.count_nonzero(~bears_label(labels)))


def _first_rows(
    queries: Codes, codes: Codes, wanted: npt.NDArray[Any], present: npt.NDArray[Any]
) -> bool:
    """Tell whether the queries look like the database, or, two or more, like its first rows."""
    n = len(queries)
    if n > len(codes) or not np.array_equal(queries, codes[:n]):
        return False
    same = np.array_equal(wanted, present[:n]) and n > 1
    # Whole databases that agree in codes which differ are one, whatever labels it was given.
    return same or (n == len(codes) and (n == 1 or bool((codes != codes[0]).any())))


def _known(
    queries: Codes, codes: Codes, wanted: npt.NDArray[Any], present: npt.NDArray[Any]
) -> str:
    """Say which rows of the database the queries look like; nothing if they look like none."""
    if _first_rows(queries, codes, wanted, present):
        whole = len(queries) == len(codes)
        return "the database" if whole else f"the first {len(queries):,} rows of the database"
    # Where many codes are shared, others than a query's own have its code.
    rows = Counter(map(_row, codes, present))
    if 2 * len({row[0] for row in rows}) > len(codes) and len(queries) > 1:
        found = Counter(map(_row, queries, wanted))
        if found <= rows and len(found) > 1:
            return f"{len(queries):,} rows of the database"
    return ""


def _row(code: Codes, label: npt.NDArray[Any]) -> tuple[bytes, bytes]:
    return code.tobytes(), label.tobytes()


def _notes(found: dict[str, Any], known: str) -> tuple[str, ...]:
    counts = (
        ("queries that do not find a row of the database, their own", found["excluded"]),
        ("items of the database without label, relevant to nothing", found["unlabelled"]),
        ("queries without label, which score 0 and count", found["unlabelled_queries"]),
        (
            "queries that can find no item of their label, which score 0 and count",
            found["unanswerable"] - found["unlabelled_queries"],
        ),
    )
    way = "--exclude self" if known == "the database" else "--exclude with a file of rows"
    words = f"queries are the same as {known}: each finds itself, unless {way} leaves it out"
    first = (words,) if known else ()
    return (*first, *(f"{words}: {count:,}" for words, count in counts if count))


def evaluate_files(
    codes: Path,
    labels: Path | None = None,
    query_codes: Path | None = None,
    query_labels: Path | None = None,
    bits: int | None = None,
    *,
    out: Path,
    plane: str = "pca",
    exclude: str | Path | None = None,
) -> Evaluation:
    """Read what :func:`evaluate` takes from files, and call it.

    Parameters
    ----------
    codes : Path
        ``.npy``, or ``.npz`` with ``codes``; the files that are not given are then this one.
    labels, query_codes, query_labels : Path, optional
        Likewise, each with an array of its own name.
    exclude : "self" or Path, optional
        Likewise; the file has a row number of the database for each query.

    Raises
    ------
    ParameterError
        If a file is not given and `codes` cannot stand for it.
    """
    codes.stat()  # that it is not there is said first
    given = {"labels": labels, "query_codes": query_codes, "query_labels": query_labels}
    for name, path in given.items():
        if path is None and not (codes.is_file() and zipfile.is_zipfile(codes)):
            raise ParameterError(f"{name}: expected a file, as {codes.name} holds codes only")
    excluded: Exclude = None
    if exclude is not None:
        excluded = "self" if exclude == "self" else read_array(exclude, "exclude")
    return evaluate(
        read_array(codes, "codes"),
        **{name: read_array(path or codes, name) for name, path in given.items()},
        bits=bits,
        out=out,
        name=codes.stem,
        plane=plane,
        exclude=excluded,
    )


def _pictures(folder: Path, title: str, lines: dict[str, npt.NDArray[np.float64]]) -> list[Path]:
    curve = Curve(title, lines["precision"], lines["recall"])
    panel = Distances("", lines["within"], lines["between"])
    return [
        write_precision_recall(
            [curve], "Precision and recall by Hamming radius", folder / "precision-recall.png"
        ),
        write_distances([panel], title, folder / "distances.png"),
    ]


def _table(found: dict[str, Any]) -> tuple[tuple[str, ...], ...]:
    rows = []
    for key, name in _MEASURES.items():
        bounds = (found.get(f"{key}_low"), found.get(f"{key}_high"))
        digits = 1 if key == "bucket_length" else 4
        numbers = (found[key], *bounds)
        cells = ("-" if number is None else f"{number:,.{digits}f}" for number in numbers)
        rows.append((name, *cells))
    for key, name in (("distinct_codes", "distinct codes"), ("database", "database")):
        rows.append((name, f"{found[key]:,}", "-", "-"))
    rows.append(("queries", f"{found['queries']:,}", "-", "-"))
    return tuple(rows)


def _write_json(path: Path, content: dict[str, Any]) -> Path:
    write_text(path, json.dumps(content, indent=1) + "\n")
    return path
