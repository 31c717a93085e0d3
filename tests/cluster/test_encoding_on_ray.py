"""Encoding on a real cluster: a worker and a node are killed, and files hang or cost too much."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from cluster_nodes import NODE, alive, kill, wait_until

from hashret.cluster import ShardedIndex
from hashret.cluster.encoding import Bounds, encode
from hashret.images.reading import Limits

pytest.importorskip("ray", reason="needs the extra 'ray'")
pytest.importorskip("pathspec", reason="needs the extra 'collection'")
Image = pytest.importorskip("PIL.Image")

FILES = 160


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
    """Small pictures, one that is damaged, and one that decodes to far more than it may."""
    rng = np.random.default_rng(5)
    (tmp_path / "photos").mkdir()
    for number in range(FILES):
        pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number:03}.png")
    (tmp_path / "photos" / "050-8GB.png").write_bytes(gigabytes())
    (tmp_path / "photos" / "070-damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path / "photos"


def children(parents, words):
    """The processes that these have started, whose command lines have these words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        # Gone since.
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            if parent in parents and words in (path.parent / "cmdline").read_bytes():
                found.append(int(path.parent.name))
    return found


@pytest.mark.slow
def test_who_dies_while_encoding_costs_nothing(cluster, photos, tmp_path):
    """A worker and a node are killed, and a process hangs at a file."""
    node = cluster.add_node(**{**NODE, "num_cpus": 2})
    wait_until(lambda: node.node_id in alive(), 30)
    raylets = {each.all_processes["raylet"][0].process.pid for each in cluster.list_all_nodes()}
    harmed = []

    def workers():
        return children(raylets, b"ray::encode_bounded")

    def readers():
        return children(workers(), b"images.reading.worker")

    def harm():
        wait_until(readers, 60)
        for pid, how in ((readers()[0], signal.SIGSTOP), (workers()[-1], signal.SIGKILL)):
            os.kill(pid, how)
            harmed.append(pid)
        kill(node)

    thread = threading.Thread(target=harm)
    thread.start()
    given = {"shard_files": 40, "cache": tmp_path / "cache"}
    limits = Limits(pixels=10**10, memory=2**29, seconds=10)
    report = encode(tmp_path / "index", [photos], ray=True, limits=limits, **given)
    thread.join()
    assert len(harmed) == 2
    failed = [os.path.basename(path) for _, path, _ in report.failures]
    assert {b"050-8GB.png", b"070-damaged.png"} <= set(failed)
    # Of the process that hung, the file that it was at, if it was at one.
    assert report.codes == FILES + 2 - len(failed)
    assert len(failed) <= 3
    encode(tmp_path / "index", [photos], retry_failed=True, **given)
    # On one machine the same comes out.
    encode(tmp_path / "alone", [photos], **given)
    with (
        ShardedIndex(tmp_path / "index", cache=tmp_path / "cache") as index,
        ShardedIndex(tmp_path / "alone", cache=tmp_path / "cache") as alone,
    ):
        paths = index.paths(index.ids)
        assert len(index) == len(set(paths)) == FILES
        assert paths == sorted(paths) == alone.paths(alone.ids)
        np.testing.assert_array_equal(index.ids, alone.ids)
        np.testing.assert_array_equal(index.get(index.ids), alone.get(alone.ids))
        assert {row[:2] for row in index.failures()} == {row[:2] for row in alone.failures()}


@pytest.fixture
def harmful(cluster, monkeypatch, tmp_path):
    """Tasks of two of three shards stop or take memory, by files that say so, after the readers."""
    from hashret.cluster.encoding import tasks

    def bounded(unit, note, work, bounds):
        import signal as signals
        import time

        from hashret.cluster.encoding.tasks import encode_bounded
        from hashret.cluster.encoding.unit import encode_unit

        def harmed(unit, work):
            number = int(unit.receipt[-13:-5])
            told = work.place + f"-{number}"
            with open(told, "ab") as file:
                file.write(b"x")
            if number == 0 and os.path.getsize(told) == 1:
                os.kill(os.getpid(), signals.SIGSTOP)
            if number == 1:
                taken = [bytearray(b"x" * 2**24) for _ in range(45)]
                time.sleep(60)
                del taken
            return encode_unit(unit, work)

        encode_bounded.__globals__["encode_unit"] = harmed
        return encode_bounded(unit, note, work, bounds)

    bounded.__name__ = bounded.__qualname__ = "encode_bounded"
    monkeypatch.setattr(tasks, "encode_bounded", bounded)


def test_tasks_that_hang_or_take_memory_are_ended(harmful, photos, tmp_path, caplog):
    """One that stops is done by another; one that always takes too much is given up, and named."""
    bounds = Bounds(seconds=15, memory=600 * 2**20, attempts=2)
    given = {"shard_files": 54, "cache": tmp_path / "cache", "ray": True}
    limits = Limits(pixels=10**7, memory=2**29)
    with caplog.at_level("WARNING"):
        report = encode(tmp_path / "index", [photos], limits=limits, bounds=bounds, **given)
    assert (report.files, report.shards) == (FILES + 2, 3)
    lost = {row[0]: row[2] for row in report.failures if "given up" in row[2]}
    assert set(lost) == set(range(54, 108))
    assert all(
        "shard 1 of plan" in reason and "MiB of memory" in reason for reason in lost.values()
    )
    said = [record.getMessage() for record in caplog.records]
    assert sum("not done within 15 s" in line and "shard 0" in line for line in said) == 1
    assert sum("shard 1" in line for line in said) == 2
    assert not list((tmp_path / "index" / "plans").rglob("*.json.*"))
    with ShardedIndex(tmp_path / "index", cache=tmp_path / "cache") as index:
        paths = index.paths(index.ids)
    assert len(paths) == len(set(paths)) == report.codes == FILES + 2 - len(report.failures)
