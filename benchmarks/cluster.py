"""What a Ray cluster costs: ``python -m benchmarks.cluster``.

A local cluster on this machine. Three figures, each of contenders that take turns in this process:

- fan-out and merge of a query over two shards: a search of all codes beside one whose filter leaves
  a code a shard, which travels and is merged as the other is, and compares next to nothing;
- opening a shard that is in the cache, by a new process;
- encoding pictures by tasks of the cluster beside one process with as many workers.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import hashret
from hashret.cluster import ShardedIndex
from hashret.cluster.encoding import encode
from hashret.cluster.replicas import connect

_OPEN = """
import sys, time
from hashret.cluster import Cache, open_location
from hashret.cluster.shard import OpenShard
location, cache = open_location(sys.argv[1]), Cache(sys.argv[2])
manifest = location.manifest()
start = time.perf_counter()
OpenShard(location, cache, manifest.shards[0], manifest)
print(time.perf_counter() - start)
"""


def fan_out(folder: Path, count: int, rounds: int) -> None:
    """Print what of a query is sending, waiting and merging."""
    rng = np.random.default_rng(1)
    with ShardedIndex.create(folder / "codes", 256, cache=folder / "cache") as index:
        for _ in range(2):
            index.add(rng.integers(0, 256, (count // 2, 32), np.uint8), shard_codes=count)
    queries = rng.integers(0, 256, (rounds, 1, 32), np.uint8)
    with (
        ShardedIndex(folder / "codes", cache=folder / "cache", replicas=1) as index,
        ShardedIndex(folder / "codes", cache=folder / "cache") as here,
    ):
        two = index.filter([0, count - 1])
        times: dict[str, list[float]] = {"all": [], "two": []}
        for query in queries:
            for name, filter in (("all", None), ("two", two)):
                start = time.perf_counter()
                distances, ids = index.search(query, 10, filter=filter)
                times[name].append(time.perf_counter() - start)
                if filter is None:
                    expected = here.search(query, 10)
                    assert np.array_equal(distances, expected[0])
                    assert np.array_equal(ids, expected[1])
        size = max(shard.index.size for shard in index.shards)
    whole, empty = (np.median(times[name]) for name in ("all", "two"))
    print(
        f"two shards, {count:,} codes of 256 bits: a query {1e3 * whole:.1f} ms, of which fan-out "
        f"and merge {1e3 * empty:.1f} ms ({empty / whole:.0%})"
    )
    command = [sys.executable, "-c", _OPEN, str(folder / "codes"), str(folder / "cache")]
    opened = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    print(f"opening a cached shard of {size / 1e9:.2f} GB: {1e3 * np.median(opened):.1f} ms")


def encoding(folder: Path, count: int, cpus: int) -> None:
    """Print how much longer the cluster takes than one process with as many workers."""
    rng = np.random.default_rng(2)
    (folder / "pictures").mkdir()
    for number in range(count):
        pixels = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((128, 128))
        pixels.save(folder / "pictures" / f"{number:06}.jpg")
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(3):
        for ray in (False, True):
            place = folder / f"encoded-{turn}-{ray}"
            start = time.perf_counter()
            report = encode(
                place,
                [folder / "pictures"],
                ray=ray,
                shard_files=-(-count // (4 * cpus)),
                workers=1 if ray else cpus,
                cache=folder / "cache",
            )
            seconds[ray].append(time.perf_counter() - start)
            assert report.codes == count
    ratios = [a / b for a, b in zip(seconds[True], seconds[False], strict=True)]
    print(
        f"{count:,} pictures on {cpus} CPUs: {min(seconds[True]):.1f} s on the cluster, "
        f"{min(seconds[False]):.1f} s by one process; {np.median(ratios):.2f} times as long "
        f"(turns: {', '.join(f'{ratio:.2f}' for ratio in ratios)})"
    )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codes", type=int, default=20_000_000)
    parser.add_argument("--pictures", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=50)
    given = parser.parse_args()
    ray = connect("local")
    cpus = len(os.sched_getaffinity(0))
    print(f"hashret {hashret.__version__}, {hashret.cpu()['isa']}, Ray {ray.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        encoding(Path(folder), given.pictures, cpus)
        fan_out(Path(folder), given.codes, given.rounds)
    ray.shutdown()


if __name__ == "__main__":
    main()
