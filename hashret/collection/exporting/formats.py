"""Formats by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import BinaryIO

from ...checks import check_choice
from ...files import replacing
from ..catalogue import Catalogue, EncoderRow
from .arrays import write_npy, write_npz
from .indexes import write_faiss, write_usearch
from .rows import Rows, rows_of
from .tables import write_csv, write_parquet, write_pgvector

__all__ = ["FORMATS", "export"]

FORMATS: dict[str, Callable[[Rows, BinaryIO], None]] = {
    "npy": write_npy,
    "npz": write_npz,
    "csv": write_csv,
    "parquet": write_parquet,
    "faiss": write_faiss,
    "usearch": write_usearch,
    "pgvector": write_pgvector,
}


def export(
    catalogue: Catalogue,
    encoder: EncoderRow,
    format: str,
    path: str | os.PathLike[str],
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
        It holds the old file or the whole new one, never a part.
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
    with rows_of(catalogue, encoder, ids) as rows, replacing(path) as file:
        FORMATS[format](rows, file)
        return len(rows)
