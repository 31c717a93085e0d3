"""What a Ray cluster costs: ``python -m benchmarks.cluster``.

A local cluster on this machine. Figures, each of contenders that take turns in this process:

- fan-out and merge of a query over two shards: a search of all codes beside one whose filter leaves
  a code a shard, which travels and is merged as the other is, and compares next to nothing; and
  what Ray takes to call two actors that do nothing;
- opening a shard that is in the cache, by a new process;
- encoding pictures by tasks of the cluster beside one process with as many workers;
- `--ray-data`: the same tasks beside a pipeline of Ray Data, which writes codes alone.

    python -m benchmarks.cluster --tail shard.jsonl cluster.jsonl

measures whole queries on three nodes instead, of one shard and of three with two replicas, for
`benchmarks.scale --measured`, and prints that command.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import hashret
from hashret.cluster import ShardedIndex
from hashret.cluster.encoding import encode
from hashret.cluster.encoding.encoders import EncoderSource
from hashret.cluster.replicas import connect
from hashret.cluster.replicas.starting import NAMESPACE
from hashret.extras import import_extra
from hashret.images.reading import Read, read_files

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
        times: dict[str, list[float]] = {"all": [], "two": [], "bare": []}
        ray = import_extra("ray", "ray")
        bare = [ray.remote(_Bare).options(num_cpus=0).remote() for _ in range(2)]
        for query in queries:
            for name, filter in (("all", None), ("two", two)):
                start = time.perf_counter()
                distances, ids = index.search(query, 10, filter=filter)
                times[name].append(time.perf_counter() - start)
                if filter is None:
                    expected = here.search(query, 10)
                    assert np.array_equal(distances, expected[0])
                    assert np.array_equal(ids, expected[1])
            start = time.perf_counter()
            ray.get([each.call.remote() for each in bare])
            times["bare"].append(time.perf_counter() - start)
        size = max(shard.index.size for shard in index.shards)
    whole, empty, alone = (np.median(times[name]) for name in ("all", "two", "bare"))
    print(
        f"two shards, {count:,} codes of 256 bits: a query {1e3 * whole:.1f} ms, of which fan-out "
        f"and merge {1e3 * empty:.1f} ms ({empty / whole:.0%}), a bare call {1e3 * alone:.1f} ms"
    )
    command = [sys.executable, "-c", _OPEN, str(folder / "codes"), str(folder / "cache")]
    opened = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    print(f"opening a cached shard of {size / 1e9:.2f} GB: {1e3 * np.median(opened):.1f} ms")


def encoding(folder: Path, count: int, cpus: int, ray_data: bool) -> None:
    """Print how much longer the cluster takes than one process with as many workers."""
    rng = np.random.default_rng(2)
    (folder / "pictures").mkdir()
    for number in range(count):
        pixels = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((128, 128))
        pixels.save(folder / "pictures" / f"{number:06}.jpg")
    size = -(-count // (4 * cpus))
    contenders: dict[str, Any] = {
        "by one process": lambda place: _encoded(place, folder, size, cpus, ray=False),
        "by tasks": lambda place: _encoded(place, folder, size, 1, ray=True),
    }
    if ray_data:
        contenders["by Ray Data"] = lambda place: _by_ray_data(folder, size, cpus)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(3):
        codes = []
        for number, (name, contender) in enumerate(contenders.items()):
            start = time.perf_counter()
            codes.append(contender(folder / f"encoded-{turn}-{number}"))
            seconds[name].append(time.perf_counter() - start)
        assert all(len(each) == count and each == codes[0] for each in codes)
    told = ", ".join(f"{min(each):.1f} s {name}" for name, each in seconds.items())
    print(f"{count:,} pictures on {cpus} CPUs: {told}")
    tasks = seconds.pop("by tasks")
    for name, each in seconds.items():
        ratios = [a / b for a, b in zip(tasks, each, strict=True)]
        print(
            f"by tasks {np.median(ratios):.2f} times as long as {name} "
            f"(turns: {', '.join(f'{ratio:.2f}' for ratio in ratios)})"
        )


def _encoded(place: Path, folder: Path, size: int, workers: int, ray: bool) -> list[bytes]:
    """Encode into a sharded index; return the codes in the order of the paths."""
    cache = folder / "cache"
    given = {"shard_files": size, "workers": workers, "cache": cache}
    encode(place, [folder / "pictures"], ray=ray, **given)  # type: ignore[arg-type]
    with ShardedIndex(place, cache=cache) as index:
        return [bytes(code) for code in index.get(index.ids)]


class _Bare:
    """An actor that does nothing."""

    def call(self) -> None:
        """Do nothing."""


class _Encoder:
    """What an actor of Ray Data does with a batch of paths: reads and encodes them."""

    def __init__(self) -> None:
        self._encoder = EncoderSource.of("perceptual").make()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        made = self._encoder
        files = [(int(id), path) for id, path in zip(batch["id"], batch["path"], strict=True)]
        functions = {"code": made.code_of}
        found = read_files(files, side=made.side, workers=1, shows=False, functions=functions)
        codes = {one.token: one.codes["code"][0] for one in found if isinstance(one, Read)}
        return {"id": np.array(list(codes)), "code": np.array(list(codes.values()), object)}


def _by_ray_data(folder: Path, size: int, cpus: int) -> list[bytes]:
    """Encode by a pipeline of Ray Data; return the codes in the order of the paths."""
    import ray.data

    paths = sorted(os.fsencode(path) for path in (folder / "pictures").iterdir())
    rows = [{"id": id, "path": path} for id, path in enumerate(paths)]
    ray.data.DataContext.get_current().enable_progress_bars = False
    data = ray.data.from_items(rows, override_num_blocks=4 * cpus).map_batches(
        _Encoder, batch_size=size, num_cpus=1, compute=ray.data.ActorPoolStrategy(size=cpus)
    )
    return [row["code"] for row in sorted(data.take_all(), key=lambda row: int(row["id"]))]


def tail(folder: Path, count: int, rounds: int, shard: Path, whole: Path) -> None:
    """Write the seconds of queries of one shard, and of three with two replicas each."""
    rng = np.random.default_rng(3)
    queries = rng.integers(0, 256, (rounds, 1, 32), np.uint8)
    for shards in (1, 3):
        with ShardedIndex.create(folder / f"{shards}", 256, cache=folder / "cache") as index:
            for _ in range(shards):
                index.add(rng.integers(0, 256, (count, 32), np.uint8), shard_codes=count)
    ray, cluster = _nodes(3)
    with ShardedIndex(folder / "1", cache=folder / "cache", replicas=1) as index:
        # The median, as one long pause would make all that follows rare.
        first = asyncio.run(_at_rate(index, queries[: rounds // 4], 10.0, rng))
        rate = 0.2 / float(np.median(first))
        alone = asyncio.run(_at_rate(index, queries, rate, rng))
    with ShardedIndex(folder / "3", cache=folder / "cache", replicas=2) as index:
        # What an asker knows of its shards' usual times it has to see first.
        asyncio.run(_at_rate(index, queries[: rounds // 4], rate, rng))
        seen = asyncio.run(_at_rate(index, queries, rate, rng))
    for path, seconds in ((shard, alone), (whole, seen)):
        path.write_text("".join(f"{json.dumps(one)}\n" for one in seconds))
    ray.shutdown()
    cluster.shutdown()
    print(
        f"python -m benchmarks.scale --latencies {shard} --measured {whole} --shards 3 "
        f"--replicas 2 --at-once 16 --own-work --rate {rate:.3g} "
        f"--hedge {np.quantile(alone, 0.95):.3g}"
    )


def _nodes(count: int) -> tuple[Any, Any]:
    """Start a cluster of so many nodes on this machine, and connect to it."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_prestart_worker_first_driver": "0"}
    ray: Any = import_extra("ray", "ray")
    from ray.cluster_utils import Cluster

    node: dict[str, Any] = {
        "num_cpus": 4,
        "object_store_memory": 100 * 2**20,
        "node_ip_address": "127.0.0.2",
    }
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    for _ in range(count - 1):
        cluster.add_node(**node)
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "namespace": NAMESPACE}
    ray.init(address=cluster.address, _node_ip_address="127.0.0.2", **quiet)
    return ray, cluster


async def _at_rate(
    index: ShardedIndex, queries: Any, rate: float, rng: np.random.Generator
) -> list[float]:
    """Return the seconds of queries that come at random, whether or not others are answered."""

    async def one(query: Any) -> float:
        start = time.perf_counter()
        await index.search_async(query, 10, threads=1)
        return time.perf_counter() - start

    tasks = []
    for query in queries:
        tasks.append(asyncio.create_task(one(query)))
        await asyncio.sleep(rng.exponential(1 / rate))
    return list(await asyncio.gather(*tasks))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codes", type=int, default=20_000_000)
    parser.add_argument("--pictures", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--ray-data", action="store_true", help="encode by Ray Data, too")
    files = ("SHARD", "WHOLE")
    parser.add_argument(
        "--tail", type=Path, nargs=2, metavar=files, help="the tail, to these files"
    )
    given = parser.parse_args()
    if given.tail:
        with tempfile.TemporaryDirectory() as folder:
            tail(Path(folder), min(given.codes, 1_000_000), max(given.rounds, 300), *given.tail)
        return
    ray = connect("local")
    cpus = len(os.sched_getaffinity(0))
    print(f"hashret {hashret.__version__}, {hashret.cpu()['isa']}, Ray {ray.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        if given.pictures:
            encoding(Path(folder), given.pictures, cpus, given.ray_data)
        if given.codes:
            fan_out(Path(folder), given.codes, given.rounds)
    ray.shutdown()


if __name__ == "__main__":
    main()
