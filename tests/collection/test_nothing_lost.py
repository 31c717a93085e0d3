"""Commands that are killed, starved of disk or raced: nothing is lost, and they go on."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from commands import assert_one_line, run_here
from dying import dying
from photos import write_photo
from removing_collection import contents, files_in, mounted

from hashret.collection import Collection
from hashret.collection.catalogue import write_catalogue

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers of POSIX")

OLD = (10**18, 10**18)
ENCODERS = ("--encoder", "hog", "--encoder", "perceptual")


def put(path: Path, seed: int) -> None:
    """Write a picture in place of what is there, too old to be doubted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    write_photo(path, seed)
    os.utime(path, ns=OLD)


def fill(folder: Path, count: int = 24) -> None:
    for number in range(count):
        put(folder / f"{number % 3}" / f"{number}.png", number)


def index(folder: Path, *options: str) -> None:
    done = run_here("index", "-q", "--workers", "1", *(options or ENCODERS), cwd=folder)
    assert done.returncode == 0, done.stderr


def indexed(folder: Path) -> None:
    fill(folder)
    index(folder)


def with_new_ones(folder: Path) -> None:
    # Another sample, to which another encoder is fitted.
    indexed(folder)
    for number in range(100, 130):
        put(folder / "new" / f"{number}.png", number)
    index(folder)


def with_copies(folder: Path) -> None:
    fill(folder, 8)
    for number in range(8):
        for copy in range(3):
            put(folder / "copies" / f"{number} {copy}.png", number)
        (folder / "copies" / f"{number} 0.xmp").write_text(f"of {number}")
    index(folder)


def cleaned(folder: Path) -> None:
    with_copies(folder)
    assert run_here("dedup", "--apply", "-q", cwd=folder).returncode == 0


def change(folder: Path) -> None:
    """New files, changed ones, renamed ones, and a renamed folder."""
    for number in range(200, 212):
        put(folder / "0" / f"{number}.png", number)
    for number in (1, 4, 7):
        put(folder / "1" / f"{number}.png", 300 + number)
    (folder / "0" / "0.png").rename(folder / "0" / "renamed.png")
    (folder / "2").rename(folder / "album")


@dataclass(frozen=True)
class Scene:
    """A command, and what it finds."""

    command: tuple[str, ...]
    prepare: Callable[[Path], None] = fill
    change: Callable[[Path], None] = lambda folder: None
    # What verify may say when it was killed.
    unsettled: str = ""


SCENES = {
    "first index": Scene(("index", *ENCODERS)),
    "update": Scene(("index",), indexed, change, unsettled="(hashret index "),
    "re-encode": Scene(("index", "--encoder", "hog", "--re-encode"), with_new_ones),
    "dedup": Scene(("dedup", "--apply"), with_copies, unsettled="a move was interrupted"),
    "undo": Scene(("undo",), cleaned, unsettled="a move was interrupted"),
}


def cloned(folder: Path, name: str) -> Path:
    """Copy a folder and its store; its files are hard links, so that they keep their inodes."""
    clone = folder.with_name(name)
    shutil.copytree(folder, clone, copy_function=os.link, ignore=shutil.ignore_patterns(".hashret"))
    if (folder / ".hashret").exists():
        shutil.copytree(folder / ".hashret", clone / ".hashret")
    return clone


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    path = folder / ".hashret" / "catalogue.sqlite"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def ids(folder: Path) -> dict[bytes, int]:
    return dict(rows(folder, "SELECT content, id FROM images"))


CODES = (
    "SELECT name, content, code FROM codes JOIN images ON images.id = image "
    "JOIN encoders ON encoders.id = encoder WHERE active"
)


def state(folder: Path) -> dict[str, Any]:
    """What a user has in the end: files, what is known of them, and their codes."""
    return {
        "seen": files_in(folder),
        "kept": kept(folder),
        "files": sorted(rows(folder, "SELECT path, state, content FROM files")),
        "codes": sorted(rows(folder, CODES)),
        "encoders": rows(folder, "SELECT name, fingerprint, active FROM encoders ORDER BY 1, 2"),
    }


def kept(folder: Path) -> Counter[bytes]:
    """All contents of photographs, in their folders and in the quarantine."""
    folders = [one for one in folder.iterdir() if one.name != ".hashret"]
    return contents(folder / ".hashret" / "quarantine", *folders)


def problems(folder: Path) -> list[str]:
    done = run_here("verify", "--content", "-q", cwd=folder)
    assert (done.returncode == 1) == bool(done.stdout), done
    return done.stdout.splitlines()


OFTEN = [pytest.param(name, 50, marks=pytest.mark.slow) for name in SCENES]


@pytest.mark.parametrize(("name", "kills"), [("first index", 1), ("dedup", 1), *OFTEN])
def test_killed_at_any_moment(tmp_path, name, kills):
    scene, chance = SCENES[name], random.Random(f"{name} {kills}")
    origin = tmp_path / "origin"
    scene.prepare(origin)
    before = ids(origin)
    whole = cloned(origin, "whole")
    scene.change(whole)
    took = dying(100, *scene.command, cwd=whole)
    assert problems(whole) == []
    wanted = state(whole)
    killed = 0
    for turn in range(kills):
        folder = cloned(origin, f"{turn}")
        scene.change(folder)
        killed += dying(chance.uniform(0, took), *scene.command, cwd=folder) is None
        assert wanted["kept"].keys() <= kept(folder).keys(), turn
        now = ids(folder)
        assert before.items() <= now.items()
        acknowledged = set(rows(folder, CODES))
        if now:
            assert [p for p in problems(folder) if scene.unsettled not in p] == []
        done = run_here(*scene.command, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert problems(folder) == []
        assert now.items() <= ids(folder).items()
        assert name == "re-encode" or acknowledged <= set(rows(folder, CODES))
        assert state(folder) == wanted, turn
        assert [*folder.rglob(".hashret-*")] == []
        shutil.rmtree(folder)
    assert killed >= kills // 4


def test_killed_while_it_is_made(tmp_path):
    fill(tmp_path, 3)
    store = tmp_path / ".hashret"
    store.mkdir()
    # Before there is a catalogue, before it has a folder, and within the writing of an index.
    index(tmp_path)
    assert problems(tmp_path) == []
    shutil.rmtree(store)
    write_catalogue(str(store)).close()
    (store / "indexes").mkdir()
    for left in (
        store / "indexes" / ".hashret-0123456789abcdef",
        store / ".hashret-fedcba9876543210",
    ):
        left.write_bytes(b"half")
    assert run_here("search", "--id", "1", cwd=tmp_path).returncode == 1
    index(tmp_path)
    assert problems(tmp_path) == []
    assert len(ids(tmp_path)) == 3
    assert [*store.rglob(".hashret-*")] == []


def test_a_store_that_lost_some_of_its_files_says_what_to_do(tmp_path):
    fill(tmp_path, 4)
    index(tmp_path)
    known = ids(tmp_path)
    shutil.rmtree(tmp_path / ".hashret" / "encoders")
    (found,) = problems(tmp_path)
    assert "hashret index --re-encode --encoder hog makes them anew" in found
    assert_one_line(run_here("index", cwd=tmp_path), "--re-encode --encoder NAME")
    index(tmp_path, "--re-encode", "--encoder", "hog")
    for path in (tmp_path / ".hashret" / "indexes").iterdir():
        os.truncate(path, path.stat().st_size // 2)
    assert run_here("search", "--id", "1", cwd=tmp_path).returncode == 0
    assert problems(tmp_path) == []
    assert ids(tmp_path) == known
    catalogue = tmp_path / ".hashret" / "catalogue.sqlite"
    size = catalogue.stat().st_size
    with open(catalogue, "r+b") as file:
        file.seek(8192)
        file.write(random.Random(0).randbytes(size - 8192))
    for command in (("verify",), ("index",), ("search", "--id", "1")):
        assert_one_line(run_here(*command, cwd=tmp_path), "move it away and index anew")
    os.truncate(catalogue, size // 2)
    assert_one_line(run_here("verify", cwd=tmp_path), "move it away and index anew")
    catalogue.rename(tmp_path / ".hashret" / "damaged")
    index(tmp_path)
    assert problems(tmp_path) == []
    assert len(ids(tmp_path)) == 4


def begin(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    # Few pictures a transaction, so that there are many.
    code = "import sys; from hashret.collection.updating import updater; updater.BATCH = 8; "
    code += "sys.argv[0] = 'hashret'; import hashret.__main__ as m; m.main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def copy_store(store: Path, target: Path) -> None:
    """Copy files one after the other, as a backup does that knows nothing of SQLite."""
    target.mkdir()
    for name in ("catalogue.sqlite", "catalogue.sqlite-wal"):
        with suppress(FileNotFoundError):
            shutil.copy(store / name, target / name)
    for name in ("indexes", "encoders"):
        with suppress(FileNotFoundError, shutil.Error):
            shutil.copytree(store / name, target / name)


@pytest.mark.parametrize("copies", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_a_store_copied_while_it_is_written_with_its_log_cut(tmp_path, copies):
    chance = random.Random(copies)
    folder = tmp_path / "folder"
    fill(folder, 40 if copies < 50 else 300)
    taken = []
    with begin(folder, "index", *ENCODERS, "--workers", "1") as process:
        while process.poll() is None:
            time.sleep(0.03)
            if (folder / ".hashret" / "catalogue.sqlite").exists():
                copy_store(folder / ".hashret", tmp_path / f"{len(taken)}")
                taken.append(tmp_path / f"{len(taken)}")
    assert process.returncode == 0
    wanted = state(folder)
    for store in chance.sample(taken, min(copies, len(taken))):
        clone = cloned(folder, f"of {store.name}")
        shutil.rmtree(clone / ".hashret")
        store.rename(clone / ".hashret")
        log = clone / ".hashret" / "catalogue.sqlite-wal"
        if log.exists():
            os.truncate(log, chance.randint(0, log.stat().st_size))
        found = problems(clone)
        assert all("(hashret index makes" in words or "(restore a copy" in words for words in found)
        now = ids(clone)
        index(clone)
        assert problems(clone) == []
        assert now.items() <= ids(clone).items()
        assert state(clone) == wanted
        shutil.rmtree(clone)


def leave(disk: Path, free: int) -> Path:
    """Fill a disk but for so many bytes."""
    space = os.statvfs(disk)
    rest = disk / "rest"
    rest.write_bytes(b"\1" * max(0, space.f_bavail * space.f_frsize - free))
    return rest


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in SCENES if name != "dedup"]


@pytest.mark.parametrize("name", ["dedup", *SLOW])
def test_a_full_disk_stops_a_command_which_goes_on_later(tmp_path, name):
    scene = SCENES[name]
    with mounted(tmp_path / "disk", "16m"):
        disk = tmp_path / "disk"
        origin = disk / "origin"
        scene.prepare(origin)
        whole = cloned(origin, "whole")
        scene.change(whole)
        assert run_here(*scene.command, cwd=whole).returncode == 0
        wanted = state(whole)
        stopped = 0
        for free in (0, 60_000, 200_000):
            folder = cloned(origin, f"{free}")
            scene.change(folder)
            rest = leave(disk, free)
            done = run_here(*scene.command, cwd=folder)
            if done.returncode != 0:
                assert_one_line(done, "free some space and run it again")
                stopped += 1
            assert wanted["kept"].keys() <= kept(folder).keys()
            rest.unlink()
            if ids(folder):
                assert [p for p in problems(folder) if scene.unsettled not in p] == []
            assert run_here(*scene.command, cwd=folder).returncode == 0
            assert problems(folder) == []
            assert state(folder) == wanted
            shutil.rmtree(folder)
        assert stopped


def test_a_disk_that_cannot_be_written_is_searched(tmp_path):
    with mounted(tmp_path / "disk", "16m"):
        folder = tmp_path / "disk" / "photos"
        with_copies(folder)
        remount = ["mount", "-o", "remount,ro", str(tmp_path / "disk")]
        assert subprocess.run(remount, check=False).returncode == 0
        for command in (("search", "--id", "1"), ("dedup",), ("verify", "--content"), ("info",)):
            done = run_here(*command, cwd=folder)
            assert done.returncode == 0, (command, done.stderr)
        for command in (("index",), ("dedup", "--apply"), ("undo",)):
            assert_one_line(run_here(*command, cwd=folder), "Read-only file system")


def test_a_search_answers_from_one_state_while_codes_are_made_anew(tmp_path):
    with_new_ones(tmp_path)
    with Collection.open(tmp_path) as reader:
        with reader.catalogue.snapshot():
            encoder, known = reader.encoder("hog"), reader.row("hog")
            index(tmp_path, "--encoder", "hog", "--re-encode")
            assert reader.index("hog").encoder == encoder.fingerprint == known.fingerprint
            assert len(reader.index("hog")) == 54
        assert reader.index("hog").encoder == reader.row("hog").fingerprint != known.fingerprint
    assert problems(tmp_path) == []


def test_one_indexes_while_others_search_and_a_second_is_told_who(tmp_path):
    fill(tmp_path, 8)
    index(tmp_path)
    for number in range(1000, 1150):
        put(tmp_path / "new" / f"{number}.png", number)
    counts, told = [], []
    with begin(tmp_path, "index", *ENCODERS, "--workers", "1") as process:
        while process.poll() is None:
            done = run_here("search", "--id", "1", "--json", "-k", "5", cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["results"]
            with Collection.open(tmp_path) as collection:
                counts.append(len(collection.index("hog")))
            for command in (("index",), ("dedup", "--apply"), ("undo",)):
                done = run_here(*command, cwd=tmp_path)
                if done.returncode:
                    assert_one_line(done, "is being changed by process ")
                    told.append(f"process {process.pid} " in done.stderr)
    assert counts == sorted(counts)
    # One of the others may have come before it; it is told so then, and ends.
    assert all(told)
    assert (process.returncode == 0) == bool(told)
    index(tmp_path)
    assert problems(tmp_path) == []


@pytest.mark.parametrize("turns", [1, pytest.param(30, marks=pytest.mark.slow)])
def test_several_make_a_collection_at_once_while_others_read(tmp_path, turns):
    fill(tmp_path, 6)
    for _ in range(turns):
        shutil.rmtree(tmp_path / ".hashret", ignore_errors=True)
        makers = [begin(tmp_path, "index", *ENCODERS, "--workers", "1") for _ in range(3)]
        while any(maker.poll() is None for maker in makers):
            if (tmp_path / ".hashret" / "catalogue.sqlite").exists():
                with Collection.open(tmp_path) as collection:
                    assert collection.catalogue.check() == []
        for maker in makers:
            _, errors = maker.communicate()
            lines = [line for line in errors.splitlines() if line.startswith("hashret: ")]
            assert maker.returncode == 0 or "is being changed by process " in lines[-1], errors
        assert [maker.returncode for maker in makers].count(0) >= 1
        assert problems(tmp_path) == []
        assert len(ids(tmp_path)) == 6
