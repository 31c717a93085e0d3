"""What docs/scale.md reckons with: bytes an item, rates, times, measured here.

    python -m benchmarks.scale_costs --size large --out docs/scale.jsonl \
        --latencies docs/scale-latencies.jsonl

writes a row a constant, and the seconds of single queries for `benchmarks.scale`. Rates and costs
are by processor time of one thread, so that other programs change little; the seconds of queries
are those of a clock, and belong to a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import io
import json
import pickle
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import hashret
from hashret.extras import import_extra
from hashret.features.perceptual import pdq
from hashret.files import replacing
from hashret.images.decoding import decode

from . import data, machine
from .sizes import size

K, ROUNDS, QUERIES, SAMPLES = 10, 5, 50, 1000
BATCH = 100
LENGTHS = (64, 256)
ASKED_PIXELS = (2000, 1500)
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket")

Row = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write rows and seconds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_costs", description=__doc__)
    parser.add_argument("--size", type=size, default=size("large"), help="codes of the largest")
    parser.add_argument("--out", type=Path, default=Path("docs/scale.jsonl"))
    parser.add_argument("--latencies", type=Path, default=Path("docs/scale-latencies.jsonl"))
    options = parser.parse_args(arguments)
    seconds: list[float] = []
    rows: list[Row] = [{"name": "machine", **machine.facts()}]
    for row in measure(options.size, seconds):
        print(json.dumps(row), file=sys.stderr)
        rows.append(row)
    _write(options.out, [json.dumps(row) for row in rows])
    _write(options.latencies, [f"{one:.4g}" for one in seconds])
    return 0


def measure(count: int, seconds: list[float]) -> Iterator[Row]:
    """Yield all rows; put the seconds of single queries into a list."""
    for bits in LENGTHS:
        yield from scans(count, bits)
        for kind in ("clustered", "uniform"):
            for codes in (count // 10, count):
                keep = seconds if (kind, bits, codes) == ("clustered", 256, count) else None
                yield from tables(codes, bits, kind, keep)
    yield from files(count)
    yield from answers()
    yield from pictures()


def scans(count: int, bits: int) -> Iterator[Row]:
    """What comparing all codes costs, and what they take."""
    codes, queries, _ = data.uniform(count, bits, BATCH)
    index = hashret.Index(bits, kind="scan")
    index.add(codes)
    about = {"bits": bits, "codes": count}
    yield {"name": "scan_bytes", **about, "value": _saved(index) / count, "unit": "B"}
    one = least(lambda: index.search(queries[:1], K, threads=1))
    yield {"name": "scan_seconds", **about, "value": one / count, "unit": "s a code"}
    many = least(lambda: index.search(queries, K, threads=1)) / BATCH
    yield {"name": "scan_batch_seconds", **about, "value": many / count, "unit": "s a code"}


def tables(count: int, bits: int, kind: str, keep: list[float] | None) -> Iterator[Row]:
    """What an index of the default kind takes and costs; no query is asked twice."""
    asked = 2 * QUERIES + (SAMPLES if keep is not None else 0)
    codes, queries, _ = data.SYNTHETIC[kind](count, bits, asked + 1)
    index = hashret.Index(bits)
    began = time.process_time()
    index.add(codes)
    index.search(queries[:1], K, threads=1)
    built = time.process_time() - began
    about = {"bits": bits, "codes": count, "data": kind}
    yield {"name": "build_seconds", **about, "value": built / count, "unit": "s a code"}
    yield {"name": "bytes", **about, "value": _saved(index) / count, "unit": "B"}
    for query in queries[1 : QUERIES + 1]:  # what the planner remembers
        index.search(query[None], K, threads=1)
    times = [_spent(index, query) for query in queries[QUERIES + 1 : 2 * QUERIES + 1]]
    yield {"name": "query_seconds", **about, "value": statistics.median(times), "unit": "s"}
    if keep is not None:
        for query in queries[2 * QUERIES + 1 :]:
            start = time.perf_counter()
            index.search(query[None], K, threads=1)
            keep.append(time.perf_counter() - start)


def files(count: int) -> Iterator[Row]:
    """Writing, mapping and checking a shard's file."""
    codes, queries, bits = data.uniform(count, 256, 1)
    index = hashret.Index(bits, kind="scan")
    index.add(codes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shard.hri"
        index.save(path)
        about = {"codes": count, "bytes": path.stat().st_size}

        def mapped() -> None:
            hashret.Index.load(path, mmap=True)

        def answered() -> None:
            hashret.Index.load(path, mmap=True).search(queries, K, threads=1)

        def checked() -> None:
            with open(path, "rb") as file:
                hashlib.file_digest(file, "sha256")

        yield {"name": "map_seconds", **about, "value": least(mapped), "unit": "s"}
        yield {"name": "first_answer_seconds", **about, "value": least(answered), "unit": "s"}
        rate = about["bytes"] / least(checked)
        yield {"name": "digest_bytes", **about, "value": rate, "unit": "B/s"}


def answers() -> Iterator[Row]:
    """What goes over the network for a query, and what merging costs for each shard."""
    rng = np.random.default_rng(0)
    answer = (
        np.sort(rng.integers(256, size=(1, K), dtype=np.int32)),
        rng.integers(10**11, size=(1, K)),
    )
    query = np.zeros((1, 32), np.uint8)
    for name, value in (("query_bytes", query), ("answer_bytes", answer)):
        sent = len(pickle.dumps(value, protocol=5))
        yield {"name": name, "k": K, "bits": 256, "value": sent, "unit": "B"}
    shards = 100
    distances = np.sort(rng.integers(256, size=(1, shards * K), dtype=np.int32))
    ids = rng.integers(10**11, size=(1, shards * K))

    def merged() -> None:
        for _ in range(100):
            order = np.lexsort((ids, distances))[:, :K]
            np.take_along_axis(ids, order, 1)

    value = least(merged) / 100 / shards
    yield {"name": "merge_seconds", "shards": shards, "k": K, "value": value, "unit": "s a shard"}


def pictures() -> Iterator[Row]:
    """Decoding and hashing photographs of scikit-image's, enlarged to three megapixels."""
    image: Any = import_extra("PIL.Image", "images")
    samples = importlib.import_module("skimage.data")
    files = []
    for name in PHOTOGRAPHS:
        file = io.BytesIO()
        picture = image.fromarray(getattr(samples, name)()).convert("RGB").resize(ASKED_PIXELS)
        picture.save(file, "JPEG", quality=90)
        files.append(file.getvalue())

    def encoded() -> None:
        for one in files:
            decoded = decode(one, 1e8, least=lambda width, height: (512, 512))
            pdq(np.asarray(decoded.image.convert("RGB")))

    value = least(encoded) / len(files)
    about = {"pixels": ASKED_PIXELS[0] * ASKED_PIXELS[1], "encoder": "perceptual"}
    yield {"name": "encode_seconds", **about, "value": value, "unit": "s an image"}


def least(work: Callable[[], object]) -> float:
    """Return the least processor time of some rounds."""
    work()
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return max(min(times), 1e-9)


def _spent(index: hashret.Index, query: Any) -> float:
    start = time.process_time()
    index.search(query[None], K, threads=1)
    return time.process_time() - start


def _saved(index: hashret.Index) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "codes.hri"
        index.save(path)
        return path.stat().st_size


def _write(path: Path, lines: list[str]) -> None:
    with replacing(path) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


if __name__ == "__main__":
    sys.exit(main())
