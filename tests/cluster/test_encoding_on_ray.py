"""Encoding on a real cluster: a worker and a node are killed, and files hang or cost too much."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from cluster_nodes import NODE, alive, kill, wait_until

from hashret.cluster import ShardedIndex
from hashret.cluster.encoding import encode
from hashret.images.reading import Limits

pytest.importorskip("ray", reason="needs the extra 'ray'")
pytest.importorskip("pdqhash", reason="needs the extra 'collection'")
Image = pytest.importorskip("PIL.Image")

FILES = 300


def gigabytes():
    """A PNG of 90,000 x 90,000 pixels, as far as its first lines."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 90_000, 90_000, 8, 0, 0, 0, 0)
    lines = zlib.compress(bytes(90_001 * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


@pytest.fixture
def photos(tmp_path):
    """Small pictures; one that decodes to far more than it may, and one that never ends."""
    rng = np.random.default_rng(5)
    (tmp_path / "photos").mkdir()
    for number in range(FILES):
        pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number:03}.png")
    (tmp_path / "photos" / "150-8GB.png").write_bytes(gigabytes())
    (tmp_path / "photos" / "200-damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path / "photos"


def workers():
    """The processes that do the units just now."""
    found = []
    for name in os.listdir("/proc"):
        with (
            contextlib.suppress(OSError, ValueError),
            open(f"/proc/{int(name)}/cmdline", "rb") as f,
        ):
            if f.read().startswith(b"ray::encode_unit"):
                found.append(int(name))
    return found


def test_who_dies_while_encoding_costs_nothing(cluster, photos, tmp_path):
    node = cluster.add_node(**{**NODE, "num_cpus": 2})
    wait_until(lambda: node.node_id in alive(), 30)
    killed = []

    def kill_some():
        wait_until(workers, 60)
        time.sleep(0.5)
        for pid in workers()[:1]:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        kill(node)

    thread = threading.Thread(target=kill_some)
    thread.start()
    report = encode(
        tmp_path / "index",
        [photos],
        ray=True,
        shard_files=40,
        limits=Limits(pixels=10**10, memory=2**29, seconds=20),
        cache=tmp_path / "cache",
    )
    thread.join()
    assert killed
    assert report.codes == FILES
    assert [os.path.basename(path) for _, path, _ in report.failures] == [
        b"150-8GB.png",
        b"200-damaged.png",
    ]
    with ShardedIndex(tmp_path / "index", cache=tmp_path / "cache") as index:
        paths = index.paths(index.ids)
        assert len(index) == len(set(paths)) == FILES
        assert paths == sorted(paths)
    # On one machine the same files come out, byte by byte.
    alone = encode(tmp_path / "alone", [photos], shard_files=40, cache=tmp_path / "cache")
    assert alone.codes == FILES
    with ShardedIndex(tmp_path / "alone", cache=tmp_path / "cache") as other:
        assert [s.index for s in other.shards] == [s.index for s in index.shards]
