"""Codes as the indexes of other libraries, with the ids of images as their keys."""

from __future__ import annotations

from typing import Any, BinaryIO

from ...extras import import_extra
from .rows import Rows

__all__ = ["write_faiss", "write_usearch"]


def write_faiss(rows: Rows, file: BinaryIO) -> None:
    """Write an exact index, ``IndexBinaryFlat`` under ``IndexBinaryIDMap2``.

    Its bits are rounded up to whole bytes, which are those of the codes.

    Raises
    ------
    MissingExtraError
        If faiss is not installed.
    """
    faiss: Any = import_extra("faiss", "faiss")
    index = faiss.IndexBinaryIDMap2(faiss.IndexBinaryFlat(8 * -(-rows.encoder.bits // 8)))
    for block in rows.blocks():
        index.add_with_ids(block.codes, block.ids)
    faiss.write_index_binary(index, faiss.PyCallbackIOWriter(file.write))


def write_usearch(rows: Rows, file: BinaryIO) -> None:
    """Write a usearch index of metric ``hamming`` and type ``b1``, as ``Index.restore`` reads it.

    It searches approximately, by its own graph.

    Raises
    ------
    MissingExtraError
        If usearch is not installed.
    """
    usearch: Any = import_extra("usearch.index", "usearch")
    index = usearch.Index(ndim=8 * -(-rows.encoder.bits // 8), metric="hamming", dtype="b1")
    for block in rows.blocks():
        index.add(block.ids.astype("u8"), block.codes)
    file.write(index.save())
