"""Images and codes as tables: CSV, Parquet, SQL."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any, BinaryIO

import numpy as np

from ...bridges.arrow import COMPRESSION, as_column, code_schema
from ...codes import to_hex
from ...extras import import_extra
from .rows import Rows, text_of

__all__ = ["write_csv", "write_parquet", "write_pgvector"]

_FIXED = ("id", "path", "code", "quality", "format", "width", "height", "taken")


def write_csv(rows: Rows, file: BinaryIO) -> None:
    """Write a line an image; codes in hexadecimal, and a column for each key of the labels.

    Of a key that is also a fixed column's name, the column is called ``label:`` and the key. Paths
    are written as their bytes are.
    """
    text = io.TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="", write_through=True)
    table = csv.writer(text)
    table.writerow([*_FIXED, *(f"label:{key}" if key in _FIXED else key for key in rows.keys)])
    for block in rows.blocks():
        codes = to_hex(block.codes, rows.encoder.bits)
        for image, code, quality, labels in zip(
            block.images, codes, block.quality, block.labels, strict=True
        ):
            path = image.files[0].path if image.files else b""
            known = (image.format, image.width, image.height, image.taken)
            table.writerow(
                [
                    image.id,
                    path.decode(errors="surrogateescape"),
                    code,
                    "" if math.isnan(quality) else repr(float(quality)),
                    *known,
                    *(labels.get(key, "") for key in rows.keys),
                ]
            )
    text.detach()


def write_parquet(rows: Rows, file: BinaryIO) -> None:
    """Write a row group for some thousands of images, with the labels as a map.

    Paths that are not UTF-8 have ``\\xff`` and the like. The schema's metadata has
    ``hashret.bits`` and ``hashret.encoder``.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    """
    arrow: Any = import_extra("pyarrow", "parquet")
    parquet: Any = import_extra("pyarrow.parquet", "parquet")
    schema = code_schema(
        rows.encoder.bits,
        [
            ("path", arrow.string()),
            ("quality", arrow.float64()),
            ("format", arrow.string()),
            ("width", arrow.int64()),
            ("height", arrow.int64()),
            ("taken", arrow.string()),
            ("labels", arrow.map_(arrow.string(), arrow.string())),
        ],
        {"hashret.encoder": rows.encoder.fingerprint},
    )
    with parquet.ParquetWriter(
        file, schema, compression=COMPRESSION, write_page_checksum=True
    ) as writer:
        for block in rows.blocks():
            columns = {
                "id": block.ids,
                "path": [text_of(image) for image in block.images],
                "code": as_column(block.codes),
                "quality": [None if math.isnan(one) else float(one) for one in block.quality],
                **{
                    name: [getattr(image, name) for image in block.images]
                    for name in ("format", "width", "height", "taken")
                },
                "labels": [list(labels.items()) for labels in block.labels],
            }
            writer.write_table(arrow.table(columns, schema=schema))


def write_pgvector(rows: Rows, file: BinaryIO) -> None:
    """Write what ``psql -f`` loads: the table in a comment, then COPY with a ``bit(n)`` a code."""
    bits = rows.encoder.bits
    file.write(_SCHEMA.format(bits=bits).encode())
    for block in rows.blocks():
        digits = np.unpackbits(block.codes, axis=1, count=bits) + ord("0")
        for row, image in enumerate(block.images):
            quality = float(block.quality[row])
            cells = [
                str(image.id),
                _escaped(text_of(image)),
                digits[row].tobytes().decode(),
                r"\N" if math.isnan(quality) else repr(quality),
                _escaped(image.taken) if image.taken else r"\N",
                _escaped(json.dumps(block.labels[row], ensure_ascii=False)),
            ]
            file.write(("\t".join(cells) + "\n").encode())
    file.write(b"\\.\n")


_SCHEMA = """\
-- CREATE EXTENSION IF NOT EXISTS vector;
-- CREATE TABLE images (id bigint PRIMARY KEY, path text, code bit({bits}), quality real,
--                      taken text, labels jsonb);
-- CREATE INDEX ON images USING hnsw (code bit_hamming_ops);
-- SELECT id, path, code <~> (SELECT code FROM images WHERE id = 1) AS distance
--   FROM images ORDER BY distance LIMIT 10;
COPY images (id, path, code, quality, taken, labels) FROM stdin;
"""
_ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\b": r"\b", "\f": r"\f"}
_TABLE = str.maketrans(_ESCAPES)


def _escaped(text: str) -> str:
    return text.translate(_TABLE)
