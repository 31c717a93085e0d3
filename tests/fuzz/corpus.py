"""Index files to begin fuzzing with: the golden ones, and small ones of every kind and width."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import hashret

GOLDEN = Path(__file__).parents[1] / "index" / "golden"
WIDTHS = (1, 7, 8, 33, 64, 65, 128, 256, 512, 4096)
COUNTS = (0, 1, 9, 60)


def tables_of(kind: str, bits: int) -> Iterator[dict[str, int]]:
    """Numbers of tables to ask for, as they suit a kind."""
    if kind != "lsh":
        yield {}
    if kind == "mih":
        yield {"tables": min(bits, 4)}
    if kind == "lsh":
        yield {"tables": next(n for n in range(1, bits + 1) if bits % n == 0 and bits // n <= 16)}


def codes_of(rng: np.random.Generator, n: int, bits: int, alike: bool) -> np.ndarray:
    """Packed random codes, all different or few different ones."""
    bools = rng.integers(0, 2, (n, bits), np.uint8)
    if alike and n:
        bools = bools[rng.integers(0, max(1, n // 8), n)]
    return np.packbits(bools, axis=1)


def files() -> Iterator[tuple[str, bytes]]:
    """Names and bytes of small index files."""
    rng = np.random.default_rng(0)
    for kind in ("scan", "lsh", "mih", "auto"):
        for bits in WIDTHS:
            for tables in tables_of(kind, bits):
                for n, alike in itertools.product(COUNTS, (False, True)):
                    index = hashret.Index(bits, kind, **tables)
                    ids = rng.permutation(10 * n)[:n] if alike else None
                    index.add(codes_of(rng, n, bits, alike), ids)
                    name = "-".join(map(str, (kind, bits, *tables.values(), n, int(alike))))
                    yield f"{name}.hri", index.to_bytes()


def write(folder: Path) -> None:
    """Write the corpus into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for golden in GOLDEN.glob("*.hri"):
        shutil.copy(golden, folder)
    for name, data in files():
        Path(folder, name).write_bytes(data)
