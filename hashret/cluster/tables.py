"""The table beside a shard, in Parquet: which files its codes are of, and which failed.

=========== =========================================================================
``id``      int64; of a file that failed the one that it would have had
``path``    binary: the bytes of its path
``reason``  string: why there is no code; null if there is
``content`` binary: SHA-256 of its bytes, if they were read
``quality`` double: of the code, if its encoder knows any
``format``  string, ``width`` and ``height`` int32, ``taken`` string
=========== =========================================================================
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..extras import import_extra
from ..types import Ids

__all__ = [
    "all_paths",
    "encoded_files",
    "failures",
    "merge_tables",
    "names_of",
    "paths_of",
    "write_table",
]


def write_table(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a Parquet file of rows, in the order of their ids; what a row lacks is null."""
    arrow: Any = import_extra("pyarrow", "ray")
    return _written(arrow.Table.from_pylist(list(rows), schema=_schema()))


def merge_tables(paths: Sequence[str]) -> bytes:
    """Return a file of several.

    Rows of codes that were removed stay: their files are known, and so not encoded again.
    """
    arrow: Any = import_extra("pyarrow", "ray")
    table = arrow.concat_tables([_read(path) for path in paths])
    return _written(table.take(np.argsort(table["id"].to_numpy(), kind="stable")))


def paths_of(path: str, ids: Ids) -> dict[int, bytes]:
    """Return the paths of those ids that a file has."""
    table = _read(path, ["id", "path", "reason"])
    named = table["id"].to_numpy()
    rows = np.flatnonzero(np.isin(named, ids) & ~table["reason"].is_valid().to_numpy())
    return dict(zip(named[rows].tolist(), table["path"].take(rows).to_pylist(), strict=True))


def names_of(path: str) -> dict[int, bytes]:
    """Return the paths of a file by their ids, of what failed, too."""
    table = _read(path, ["id", "path"])
    return dict(zip(table["id"].to_pylist(), table["path"].to_pylist(), strict=True))


def encoded_files(path: str) -> list[tuple[int, bytes]]:
    """Return id and path of what has a code, or had one that was removed."""
    table = _read(path, ["id", "path", "reason"])
    good = table.filter(table["reason"].is_null())
    return list(zip(good["id"].to_pylist(), good["path"].to_pylist(), strict=True))


def failures(paths: Sequence[str]) -> list[tuple[int, bytes, str]]:
    """Return id, path and reason of what failed by files, and succeeded by none."""
    compute: Any = import_extra("pyarrow.compute", "ray")
    failed = {one[0]: one for path in paths for one in _failures_of(path)}
    for path in paths if failed else ():
        table = _read(path, ["id", "reason"])
        good = table.filter(table["reason"].is_null())
        again = good.filter(compute.is_in(good["id"], value_set=_ids(failed)))
        for id in again["id"].to_pylist():
            failed.pop(id, None)
    return sorted(failed.values())


def all_paths(path: str) -> list[bytes]:
    """Return the paths of a file, of what failed, too."""
    paths: list[bytes] = _read(path, ["path"])["path"].to_pylist()
    return paths


def _failures_of(path: str) -> list[tuple[int, bytes, str]]:
    """Return id, path and reason of what failed."""
    table = _read(path, ["id", "path", "reason"])
    rows = np.flatnonzero(table["reason"].is_valid().to_numpy())
    failed = table.take(rows).to_pylist()
    return [(row["id"], row["path"], row["reason"]) for row in failed]


def _ids(among: Iterable[int]) -> Any:
    arrow: Any = import_extra("pyarrow", "ray")
    return arrow.array(list(among), arrow.int64())


def _schema() -> Any:
    arrow: Any = import_extra("pyarrow", "ray")
    return arrow.schema(
        [
            arrow.field("id", arrow.int64(), nullable=False),
            arrow.field("path", arrow.binary(), nullable=False),
            ("reason", arrow.string()),
            ("content", arrow.binary()),
            ("quality", arrow.float64()),
            ("format", arrow.string()),
            ("width", arrow.int32()),
            ("height", arrow.int32()),
            ("taken", arrow.string()),
        ]
    )


def _read(path: str, columns: list[str] | None = None) -> Any:
    parquet: Any = import_extra("pyarrow.parquet", "ray")
    return parquet.ParquetFile(path).read(columns=columns)


def _written(table: Any) -> bytes:
    parquet: Any = import_extra("pyarrow.parquet", "ray")
    file = io.BytesIO()
    parquet.write_table(table, file, compression="zstd")
    return file.getvalue()
