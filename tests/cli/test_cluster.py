"""``hashret index --ray``, ``serve --ray`` and ``cluster status`` on a real cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from commands import assert_one_line, run, run_here

pytest.importorskip("ray", reason="needs the extra 'ray'")
pytest.importorskip("pathspec", reason="needs the extra 'collection'")
Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(3)
    (tmp_path / "photos").mkdir()
    for number in range(12):
        small = Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8))
        small.resize((64, 64)).save(tmp_path / "photos" / f"{number:02}.png")
    return tmp_path / "photos"


def test_folders_are_encoded_and_what_is_served_is_told(cluster, photos, tmp_path, monkeypatch):
    # A process of its own comes to the cluster in the same way below, where it serves.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    given = ["index", "--ray", cluster.address, "--shards", str(tmp_path / "codes"), str(photos)]
    done = run_here(*given)
    assert done.returncode == 0, done.stderr
    assert "12 new codes of 12 new files in 1 shard" in done.stdout
    (photos / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with tarfile.open(tmp_path / "more.tar", "w") as tar:
        tar.add(photos / "03.png", "deep/03.png")
    done = run_here(*given, str(tmp_path / "more.tar"), "--json", "--quiet")
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert (told["files"], told["encoded"]) == (2, 1)
    assert [one["path"] for one in told["skipped"]] == [str(photos / "bad.png")]

    from hashret.cluster import ShardedIndex

    with ShardedIndex(tmp_path / "codes", cache=tmp_path / "cache", replicas=2) as index:
        index.search(index.get([0]), 3)
        done = run_here("cluster", "status", "--ray", cluster.address)
        assert done.returncode == 0, done.stderr
        assert f"{tmp_path / 'codes'}: 13 codes in 2 shards" in done.stdout
        done = run_here("cluster", "status", "--ray", cluster.address, "--json")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert {row["shard"] for row in rows} == {shard.name for shard in index.shards}
        assert sum(row["calls"] for row in rows) >= 1


def test_the_page_is_served_from_a_cluster(cluster, photos, tmp_path, browser):
    pytest.importorskip("fastapi")
    from playwright.sync_api import expect

    done = run_here("index", str(photos), "--encoder", "perceptual", "--workers", "1")
    assert done.returncode == 0, done.stderr
    command = [sys.executable, "-m", "hashret", "serve", "--store", str(photos), "--port", "0"]
    command += ["--ray", cluster.address, "--replicas", "2", "--shards", str(tmp_path / "codes")]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            url = process.stdout.readline().split()[0]
            page = browser.new_page()
            page.goto(url)
            expect(page.locator(".grid .tile")).to_have_count(12)
            page.locator(".tile a[aria-label*='like 07.png']").click()
            expect(page.locator("h1")).to_have_text("11 similar images")
            page.close()
            done = run_here("cluster", "status", "--ray", cluster.address, "--json")
            rows = [json.loads(line) for line in done.stdout.splitlines()]
            ours = [row for row in rows if row["location"].startswith(str(tmp_path / "codes"))]
            assert len({row["node"] for row in ours}) == 2
        finally:
            process.send_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["index", "--ray", "auto"], "expected both"),
        (["index", "--shards", "codes"], "expected both"),
        (["index", "--ray", "auto", "--shards", "codes", "--watch"], "watch"),
        (["index", "--ray", "a", "--shards", "b", "--encoder", "x", "--encoder", "y"], "one"),
        (["serve", "--shards", "codes"], "--ray"),
    ],
)
def test_options_that_do_not_fit_are_usage_errors(tmp_path, arguments, said):
    assert_one_line(run_here(*arguments, cwd=tmp_path), said, code=2)


def test_no_cluster_at_an_address_is_told(tmp_path):
    # In a process of its own: this one may be with a cluster by now.
    done = run("cluster", "status", "--ray", "nonsense")
    assert_one_line(done, "nonsense", "no Ray cluster")
