"""Removing and undoing, killed at any moment: every content is somewhere all the time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from collection_pictures import picture
from removing_collection import assert_settled, contents, files_in, fill, mounted, write

from hashret.collection.catalogue import write_catalogue
from hashret.collection.removing import batches, recover, undo

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals of POSIX")

TESTS = str(Path(__file__).parent.parent.parent)
WORK = f"""
import sys
from pathlib import Path
sys.path.insert(0, {TESTS!r})
from removing_collection import pairs
from hashret.collection.catalogue import write_catalogue
from hashret.collection.removing import remove, remover, undo
remover._AT_ONCE = 8
root, store, what = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
with write_catalogue(store) as catalogue:
    print("started", flush=True)
    if what == "undo":
        while undo(catalogue).back:
            pass
    else:
        keeper = root / "keep" / "0.bmp"
        folder = "equal" if what == "hardlink" else "."
        members = [one for one in sorted((root / folder).rglob("*.bmp"))
                   if ".hashret" not in one.parts and one.parent.name != "keep"
                   and one.read_bytes()[:2] == b"BM"]
        remove(catalogue, pairs(catalogue, keeper, *members), hardlink=what == "hardlink")
print("finished", flush=True)
"""


def run_and_kill(root: Path, store: Path, what: str, seconds: float, wanted) -> bool:
    """Stop it some times and look, then kill it; return whether it had finished."""
    command = [sys.executable, "-c", WORK, str(root), str(store), what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        for _ in range(3):
            time.sleep(seconds / 3)
            os.kill(process.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            assert wanted.keys() <= contents(root).keys()
            os.kill(process.pid, signal.SIGCONT)
        process.kill()
        return "finished" in process.stdout.read()


def make(root: Path) -> None:
    for number in range(40):
        write(root / "near" / str(number % 3) / f"{number}.bmp", picture(number))
        write(root / "near" / str(number % 3) / f"{number}.xmp", b"%d" % number)
        write(root / "equal" / f"{number}.bmp", picture(0))
    write(root / "keep" / "0.bmp", picture(0))


SEEDS = [0, pytest.param(1, marks=pytest.mark.slow)]


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_any_moment_nothing_is_lost(tmp_path, seed):
    kill_often(tmp_path / "root", tmp_path / "store", seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_while_files_are_copied_to_another_file_system(tmp_path, seed):
    with mounted(tmp_path / "root" / "near", "8m"):
        kill_often(tmp_path / "root", tmp_path / "store", seed)


def kill_often(root: Path, store: Path, seed: int) -> None:
    chance = random.Random(seed)
    make(root)
    fill(store, root)
    before, files = contents(root), files_in(root)
    finished = 0
    for turn in range(50 if seed else 7):
        what = ["remove", "undo", "hardlink"][turn % 3]
        # Early ones more often: what is quick has finished in a tenth of a second.
        moment = 0.12 * chance.random() ** 2
        finished += run_and_kill(root, store, what, moment, before)
        with write_catalogue(str(store)) as catalogue:
            recover(catalogue)
        assert before.keys() <= contents(root).keys()
        # No copy that was begun, and no second name, is left over.
        assert len([*root.rglob("*")]) - len([*root.rglob(".hashret/**/*")]) <= len(files) + 9
        assert not [*root.rglob(".hashret-*")]
        assert sum(contents(root).values()) == sum(before.values())
        assert_settled(store)
    assert finished < turn
    with write_catalogue(str(store)) as catalogue:
        for batch in reversed(batches(catalogue)):
            assert undo(catalogue, batch.number).left == []
    assert files_in(root) == files
    assert_settled(store)
