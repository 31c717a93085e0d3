"""Work in processes of its own: it ends well, badly, when it is told to, and with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("web_site")

from hashret.collection import Collection
from hashret.collection.duplicates import decide
from hashret.web.filling import key_of
from hashret.web.groups import GroupTable
from hashret.web.jobs import Job


def ended(job: Job, seconds: float = 30.0) -> int:
    end = time.monotonic() + seconds
    while job.status is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    return job.status


def is_alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_groups_are_written(folder, tmp_path):
    path = str(tmp_path / "groups.sqlite")
    job = Job("groups", str(folder), path)
    assert ended(job) == 0
    job.end()
    table = GroupTable(path)
    assert table.counts()[2] == 3
    assert table.fact("key") is not None
    table.close()


def test_groups_are_not_those_of_a_copy_that_went_on_otherwise(own_folder):
    catalogue = own_folder / ".hashret" / "catalogue.sqlite"
    before, keys = catalogue.read_bytes(), []
    for image in (1, 2):
        catalogue.write_bytes(before)
        with Collection.change(own_folder) as collection:
            decide(collection.catalogue, "keep", [image])
            keys.append(key_of(collection))
    assert keys[0] != keys[1]


@pytest.mark.parametrize("kind", ["groups", "none"])
def test_what_fails_tells_so(tmp_path, kind):
    job = Job(kind, str(tmp_path / "nowhere"), str(tmp_path / "x"))
    assert ended(job) not in (0, None)
    job.end()


def test_nothing_is_imported_from_the_current_folder(folder, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert ended(Job("groups", str(folder), str(tmp_path / "groups.sqlite"))) == 0


def test_it_starts_without_what_only_a_server_needs():
    code = "import sys, hashret.web.work; sys.exit('fastapi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_it_ends_with_its_parent(folder, tmp_path):
    code = (
        "import sys, time; from hashret.web.jobs import Job\n"
        "job = Job('map', sys.argv[1], sys.argv[2])\n"
        "print(job._process.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "map")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
    end = time.monotonic() + 10
    while is_alive(child):
        assert time.monotonic() < end
        time.sleep(0.05)
