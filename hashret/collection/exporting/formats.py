"""Formats by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import BinaryIO

from ...bridges import faiss, lancedb, milvus, opensearch, pgvector, usearch, vespa
from ...checks import check_choice
from ...files import replacing
from ..catalogue import Catalogue, EncoderRow
from .arrays import write_npy, write_npz
from .rows import Rows, rows_of
from .tables import write_csv, write_parquet, write_pgvector

__all__ = ["FORMATS", "export"]

Path = str | os.PathLike[str]
Writer = Callable[[Rows, Path], None]


def _in_a_file(write: Callable[[Rows, BinaryIO], None]) -> Writer:
    def write_path(rows: Rows, path: Path) -> None:
        with replacing(path) as file:
            write(rows, file)

    return write_path


def _by(bridge: ModuleType) -> Writer:
    """Return what writes ids and codes, and nothing else."""

    def write_path(rows: Rows, path: Path) -> None:
        bridge.write(path, rows.codes, rows.encoder.bits, rows.ids)

    return write_path


FORMATS: dict[str, Writer] = {
    "npy": _in_a_file(write_npy),
    "npz": _in_a_file(write_npz),
    "csv": _in_a_file(write_csv),
    "parquet": _in_a_file(write_parquet),
    "pgvector": _in_a_file(write_pgvector),
    "pgcopy": _by(pgvector),
    "faiss": _by(faiss),
    "usearch": _by(usearch),
    "lancedb": _by(lancedb),
    "milvus": _by(milvus),
    "vespa": _by(vespa),
    "opensearch": _by(opensearch),
}


def export(
    catalogue: Catalogue,
    encoder: EncoderRow,
    format: str,
    path: Path,
    ids: Iterable[int] | None = None,
) -> int:
    """Write the codes of an encoder, and what is known of their images, for another program.

    Parameters
    ----------
    catalogue : Catalogue
    encoder : EncoderRow
    format : str
        One of :data:`FORMATS`.
    path : path
        It holds the old file or the whole new one, never a part. For lancedb it is the folder of
        a database, whose table ``codes`` gets a new version.
    ids : iterable of int, optional
        Only these images.

    Returns
    -------
    count : int
        Images that were written.

    Raises
    ------
    ParameterError
        If there is no such format.
    IdError
        If an id has no code of the encoder.
    MissingExtraError
        If the library of the format is not installed.
    """
    check_choice("format", format, *FORMATS)
    with rows_of(catalogue, encoder, ids) as rows:
        FORMATS[format](rows, path)
        return len(rows)
