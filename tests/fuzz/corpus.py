"""Index files to begin fuzzing with: the golden ones, and small ones of every kind and width."""

from __future__ import annotations

import itertools
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from index_files import HEADER, sealed

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


def with_lists(data: bytes) -> bytes:
    """Make an index of kind "approximate" of a sorted one: so few codes are not put in lists."""
    header = bytearray(data[:HEADER])
    sections = {}
    for entry in struct.iter_unpack("<IIQQQ", header[128:]):
        sections[entry[0]] = entry
    entries = sections[1][4]
    levels = [(1, 40, 950_000, 940_000, 960_000, 0, 4), (10, 80, 951_000, 941_000, 961_000, 0, 9)]
    words = (int.from_bytes(header[16:20], "little") + 63) // 64
    lists = struct.pack("<IIIII44x", 3, 5000, 2000, 0, 0)
    lists += b"".join(struct.pack("<6IQ", *one) for one in levels)
    lists = lists.ljust(192, b"\0") + b"\0" * (64 * words)
    lists += struct.pack("<4I", 0, entries // 3, entries // 3, entries).ljust(64, b"\0")
    body, table = b"", b""
    for tag in (1, 3, 5, 2):
        if tag != 5 and tag not in sections:
            continue
        _, _, offset, size, count = sections.get(tag, (5, 0, 0, 0, 0))
        part = lists if tag == 5 else data[offset : offset + size]
        table += struct.pack("<IIQQQ", tag, 0, HEADER + len(body), len(part), count)
        body += part
    struct.pack_into("<III", header, 20, 4, 0, len(table) // 32)
    struct.pack_into("<I", header, 120, 950_000)
    return sealed(bytes(header[:128]) + table.ljust(128, b"\0") + body)


def files() -> Iterator[tuple[str, bytes]]:
    """Names and bytes of small index files."""
    rng = np.random.default_rng(0)
    for kind in ("scan", "lsh", "mih", "auto", "approximate"):
        for bits in WIDTHS:
            for tables in tables_of(kind, bits):
                for n, alike in itertools.product(COUNTS, (False, True)):
                    index = hashret.Index(bits, kind, **tables)
                    ids = rng.permutation(10 * n)[:n] if alike else None
                    index.add(codes_of(rng, n, bits, alike), ids)
                    name = "-".join(map(str, (kind, bits, *tables.values(), n, int(alike))))
                    yield f"{name}.hri", index.to_bytes()
                    if kind == "mih" and n:
                        yield f"lists-{name}.hri", with_lists(index.to_bytes())


def write(folder: Path) -> None:
    """Write the corpus into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for golden in GOLDEN.glob("*.hri"):
        shutil.copy(golden, folder)
    for name, data in files():
        Path(folder, name).write_bytes(data)
