"""Scores and pictures of anybody's codes and labels."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import Index, __version__
from ..codes import Codes, as_codes, check_bits, pack
from ..errors import DTypeError, FormatError, ParameterError, ShapeError, import_extra
from ..evaluation.charts import Distances, write_code_map, write_distances
from ..evaluation.histograms import as_labels
from ..evaluation.plots import Curve, write_precision_recall
from ..files import write_text
from .scoring import curves, figures, score_index, time_queries

__all__ = ["COLUMNS", "Evaluation", "evaluate", "evaluate_files", "read_array"]

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
    """What was measured, as a table, and the files written."""

    rows: tuple[tuple[str, ...], ...]
    files: tuple[Path, ...]


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
) -> Evaluation:
    """Score codes, write ``eval.json`` and pictures into a folder, and return a table.

    An item is relevant to a query if their labels are equal, or, where images have several, if
    they share one. There is no map of codes with several labels.

    Parameters
    ----------
    codes, query_codes : array_like
        Packed, uint8 (n, ceil(bits / 8)) or uint64 (n, ceil(bits / 64)); or a column a bit:
        booleans, 0 and 1, -1 and +1, or margins, of which those > 0 are 1.
    labels, query_labels : array_like of int, shape (n,) or (n, classes)
        Tables of 0 and 1 have a column a class.
    bits : int, optional
        By default 8 a byte of packed codes, one a column of others.
    out : path
        Made if it is missing.
    name : str
        For the pictures' titles.
    plane : {"pca", "tsne"}
        How the map of codes is made.

    Raises
    ------
    ShapeError, DTypeError, CodeError
        If the arrays do not fit each other.
    """
    if plane not in ("pca", "tsne"):
        raise ParameterError(f"plane: expected pca or tsne, got {plane!r}")
    # What would fail only after the counting fails now.
    import_extra("matplotlib", "plot")
    length = _code_length(codes, bits)
    packed, queries = _packed(codes, length, "codes"), _packed(query_codes, length, "query_codes")
    right = as_labels(labels, len(packed), "labels", tables=True)
    wanted = as_labels(query_labels, len(queries), "query_labels", tables=True)
    for count, argument in ((len(packed), "codes"), (len(queries), "query_codes")):
        if not count:
            raise ShapeError(f"{argument}: expected at least one code")
    index = Index(length)
    index.add(packed)
    scores = score_index(index, queries, packed, wanted, right)
    found = figures(scores) | {"bits": length, "database": len(packed), "queries": len(queries)}
    found["query_microseconds"] = float(np.median(time_queries(index, queries)))
    lines = curves(scores)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    files = [_write_json(folder / "eval.json", found | {"curves": lines, "version": __version__})]
    title = f"{name}, {length} bits"
    files += _pictures(folder, title, {key: np.array(line) for key, line in lines.items()})
    if len(queries) >= 3 and wanted.ndim == 1:
        path = folder / "code-map.png"
        files.append(write_code_map(queries, length, wanted, title, path, method=plane))
    return Evaluation(_table(found), tuple(files))


def evaluate_files(
    codes: Path,
    labels: Path | None = None,
    query_codes: Path | None = None,
    query_labels: Path | None = None,
    bits: int | None = None,
    *,
    out: Path,
    plane: str = "pca",
) -> Evaluation:
    """Read what :func:`evaluate` takes from files, and call it.

    Parameters
    ----------
    codes : Path
        ``.npy``, or ``.npz`` with ``codes``; the files that are not given are then this one.
    labels, query_codes, query_labels : Path, optional
        Likewise, each with an array of its own name.

    Raises
    ------
    ParameterError
        If a file is not given and `codes` cannot stand for it.
    """
    given = {"labels": labels, "query_codes": query_codes, "query_labels": query_labels}
    for name, path in given.items():
        if path is None and codes.suffix != ".npz":
            raise ParameterError(f"{name}: expected a file, as {codes.name} holds codes only")
    return evaluate(
        read_array(codes, "codes"),
        **{name: read_array(path or codes, name) for name, path in given.items()},
        bits=bits,
        out=out,
        name=codes.stem,
        plane=plane,
    )


def read_array(path: str | Path, name: str) -> npt.NDArray[Any]:
    """Read an array from an ``.npy`` file, or the one called `name` from an ``.npz`` file.

    Raises
    ------
    FormatError
        If the file is no such file, is damaged, holds Python objects, or lacks the name.
    """
    try:
        # Opened here: numpy leaves a damaged archive open.
        with open(path, "rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            if name in loaded:
                return np.asarray(loaded[name])
            found = ", ".join(loaded)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise FormatError(f"{path}: expected .npy or .npz: {error}") from error
    raise FormatError(f"{path}: expected an array {name}, got {found or 'none'}")


def _code_length(codes: npt.ArrayLike, bits: int | None) -> int:
    array = np.asarray(codes)
    if array.ndim != 2 or not array.shape[1]:
        raise ShapeError(f"codes: expected a row a code, got shape {array.shape}")
    if bits is not None:
        return check_bits(bits)
    if array.dtype == np.uint8 and not (array.shape[1] > 1 and array.max(initial=0) <= 1):
        return int(array.shape[1] * 8)
    return int(array.shape[1] * (64 if array.dtype == np.uint64 else 1))


def _packed(codes: npt.ArrayLike, bits: int, name: str) -> Codes:
    array = np.asarray(codes)
    unpacked = array.dtype != np.uint8 or (bits > 1 and array.max(initial=0) <= 1)
    if array.ndim == 2 and array.shape[1] == bits and unpacked:
        return pack(array)
    if array.dtype in (np.uint8, np.uint64):
        return as_codes(array, bits, name)
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"{name}: expected codes, got {array.dtype}")
    raise ShapeError(f"{name}: expected {bits} columns, one a bit, got shape {array.shape}")


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
