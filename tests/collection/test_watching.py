"""Watching: a change is told soon, the store's own ones never, and the time always."""

from __future__ import annotations

import os
import threading
import time

import pytest
from removing_collection import mounted

from hashret.collection import watching
from hashret.collection.watching import Watcher


def later(action):
    timer = threading.Timer(0.3, action)
    timer.start()
    return timer


def test_without_the_package_only_the_time_counts(tmp_path, monkeypatch):
    def missing(module, extra):
        raise watching.MissingExtraError(f"pip install 'hashret[{extra}]'")

    monkeypatch.setattr(watching, "import_extra", missing)
    watcher = Watcher([str(tmp_path)], str(tmp_path / ".hashret"), period=0.2)
    assert "hashret[watch]" in watcher.trouble
    start = time.monotonic()
    assert watcher.wait() is False
    assert 0.2 <= time.monotonic() - start < 5


def test_a_change_is_told_and_those_of_the_store_are_not(tmp_path):
    pytest.importorskip("watchfiles")
    store = tmp_path / ".hashret"
    store.mkdir()
    watcher = Watcher([str(tmp_path)], str(store), period=60, quiet=0.1)
    watcher.start()
    # Between start and wait.
    (tmp_path / "a.png").write_bytes(b"x")
    assert watcher.wait() is True
    timer = later(lambda: (tmp_path / "b.png").write_bytes(b"x"))
    assert watcher.wait() is True
    timer.join()
    watcher = Watcher([str(tmp_path)], str(store), period=1.0, quiet=0.1)
    watcher.start()
    timer = later(lambda: (store / "catalogue.sqlite").write_bytes(b"x"))
    assert watcher.wait() is False
    timer.join()


def test_a_folder_that_comes_later_is_watched_then(tmp_path):
    pytest.importorskip("watchfiles")
    folder = tmp_path / "mount"
    watcher = Watcher([str(folder)], str(tmp_path / "store"), period=0.2, quiet=0.1)
    watcher.start()
    assert watcher.wait() is False
    folder.mkdir()
    watcher.start()
    (folder / "a.png").write_bytes(b"x")
    assert any(watcher.wait() for _ in range(20))


def test_another_folder_of_the_same_name_is_watched_then(tmp_path):
    pytest.importorskip("watchfiles")
    folder = tmp_path / "photos"
    folder.mkdir()
    watcher = Watcher([str(folder)], str(tmp_path / "store"), period=15, quiet=0.1)
    watcher.start()
    os.rename(folder, tmp_path / "before")
    folder.mkdir()
    assert watcher.wait() is True
    watcher.start()
    (folder / "a.png").write_bytes(b"x")
    assert watcher.wait() is True


def test_a_disk_that_is_mounted_is_a_change(tmp_path):
    pytest.importorskip("watchfiles")
    folder = tmp_path / "mount"
    folder.mkdir()
    watcher = Watcher([str(folder)], str(tmp_path / "store"), period=15, quiet=0.1)
    watcher.start()
    with mounted(folder):
        assert watcher.wait() is True
        watcher.start()
        timer = later(lambda: (folder / "a.png").write_bytes(b"x"))
        assert watcher.wait() is True
        timer.join()
    assert watcher.wait() is True
