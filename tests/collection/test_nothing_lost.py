"""Commands that are killed, starved of disk or raced: nothing is lost, and they go on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from commands import run_here
from dying import dying
from photos import write_photo
from removing_collection import contents, files_in

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
    done = run_here("index", "-q", *(options or ENCODERS), cwd=folder)
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


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
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
    assert killed >= kills // 2
