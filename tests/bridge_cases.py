"""The bridges, and codes to carry over them."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

# What a bridge needs, and whether what it writes knows the length of a code in bits.
BRIDGES = {
    "pgvector": (None, True),
    "parquet": ("pyarrow", True),
    "faiss": ("faiss", False),
    "usearch": ("usearch", True),
    "lancedb": ("lancedb", True),
    "milvus": (None, False),
    "vespa": (None, False),
    "opensearch": (None, False),
}
FILES = [name for name in BRIDGES if name != "lancedb"]
BITS = [1, 8, 12, 100, 256]


def bridge(name):
    package = BRIDGES[name][0]
    if package is not None:
        pytest.importorskip(package)
    return importlib.import_module(f"hashret.bridges.{name}")


def random_codes(rng, count, bits):
    return np.packbits(rng.random((count, bits)) > 0.5, axis=1)


def same(stored, codes, bits, ids):
    assert stored.codes.dtype == np.uint8
    assert stored.ids.dtype == np.int64
    assert np.array_equal(stored.codes, codes)
    assert np.array_equal(stored.ids, ids)
    assert stored.bits == bits
