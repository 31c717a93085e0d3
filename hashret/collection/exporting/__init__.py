"""Exporting: the codes of a collection, and what is known of their images, for other programs.

================== =============================================================
``rows.py``        what is exported, block by block, as it was at one moment
``arrays.py``      npy and npz
``tables.py``      CSV, Parquet, and SQL for PostgreSQL with pgvector
``formats.py``     these, and all of :mod:`hashret.bridges`, by name: :func:`export`
================== =============================================================
"""

from __future__ import annotations

from .formats import FORMATS, export

__all__ = ["FORMATS", "export"]
