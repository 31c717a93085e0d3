"""An update that is killed at any moment: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from collection_pictures import encoded, encoders, picture, read

from hashret.collection.catalogue import add_root, read_catalogue, write_catalogue
from hashret.collection.updating import update

TESTS = str(Path(__file__).parent.parent)
# Says after each transaction how many codes are acknowledged.
UPDATE = f"""
import sys
sys.path.insert(0, {TESTS!r})
from collection_pictures import encoders, read
from hashret.collection.updating import updater as module
from hashret.collection.catalogue import write_catalogue
module.BATCH = 4
with write_catalogue(sys.argv[1]) as catalogue:
    (known,) = catalogue.execute("SELECT count(*) FROM codes").fetchone()
    print("started", flush=True)
    module.update(catalogue, read, encoders("one", "two"), check_content=True,
                  on_batch=lambda report: print(known + 2 * report.encoded, flush=True))
print("finished", flush=True)
"""


def run_and_kill(store: str, seconds: float) -> tuple[int, bool]:
    """Return how many codes were acknowledged, and whether it finished before."""
    command = [sys.executable, "-c", UPDATE, store]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        time.sleep(seconds)
        process.kill()
        words = process.stdout.read().split()
    finished = "finished" in words
    numbers = [int(word) for word in words if word.isdigit()]
    return max(numbers, default=0), finished


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_an_update_that_is_killed_goes_on(tmp_path, seed):
    chance = random.Random(seed)
    root, store, count = tmp_path / "root", str(tmp_path / "store"), 150
    root.mkdir()
    for number in range(count):
        folder = root / str(number % 3)
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.bmp").write_bytes(picture(number))
    with write_catalogue(store) as catalogue:
        add_root(catalogue, str(root))
    ids: dict[bytes, int] = {}
    names = ["0", "1", "2"]
    for turn in range(12 if seed else 6):
        acknowledged, _ = run_and_kill(store, chance.uniform(0, 0.06))
        with read_catalogue(store) as catalogue:
            assert catalogue.check() == []
            (codes,) = catalogue.execute("SELECT count(*) FROM codes").fetchone()
            assert codes >= acknowledged
            now = dict(catalogue.execute("SELECT content, id FROM images").fetchall())
            assert ids.items() <= now.items()
            ids = now
        names[turn % 3], before = f"{turn % 3} of {turn}", names[turn % 3]
        os.rename(root / before, root / names[turn % 3])
    given = encoders("one", "two")
    with write_catalogue(store) as catalogue:
        report = update(catalogue, read, given)
        assert report.missing.count == report.skipped.count == 0
        assert encoded(given) == 2 * count - codes
        for query in (
            "SELECT count(*) FROM images",
            "SELECT count(DISTINCT content) FROM files WHERE state = 'present'",
            "SELECT count(*) FROM files",
        ):
            assert catalogue.execute(query).fetchone() == (count,), query
