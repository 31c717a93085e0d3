"""``hashret dedup`` and ``hashret undo``, as a user starts them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from commands import assert_one_line, run, run_here
from PIL import Image

from hashret.collection import Collection
from hashret.collection.encoders import naming


def make(root):
    root.mkdir()
    for seed in range(3):
        small = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
        image = Image.fromarray(small).resize((320, 240), Image.Resampling.BICUBIC)
        image.save(root / f"{seed}.png")
        if seed < 2:
            image.save(root / f"{seed}.jpg", quality=70)
    shutil.copy(root / "2.png", root / "two\nlines.png")
    Image.new("RGB", (100, 100), "red").save(root / "plain.png")
    for path in root.iterdir():
        os.utime(path, ns=(10**18, 10**18))
    with Collection.create([root]) as collection:
        collection.update(["perceptual"], workers=1)
    return root


@pytest.fixture
def root(tmp_path):
    return make(tmp_path / "photos")


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """A root for what changes neither it nor its store."""
    return make(tmp_path_factory.mktemp("unchanged") / "photos")


def dedup(root, *options):
    return run_here("dedup", "--store", str(root), *options)


def seen(root):
    return sorted(path.name for path in root.iterdir() if path.name != ".hashret")


def test_there_and_back(root, tmp_path):
    before = seen(root)
    shown = run("dedup", "--store", str(root))
    assert shown.returncode == 0
    assert "byte-equal" in shown.stdout
    assert "two\\nlines.png" in shown.stdout
    assert "too plain to compare" in shown.stdout
    assert "3 groups by perceptual within 31 bits: 3 files could go" in shown.stderr
    assert "--html FILE shows the pictures; --apply moves them" in shown.stderr
    assert seen(root) == before
    page, table = tmp_path / "page.html", tmp_path / "table.csv"
    done = dedup(root, "--apply", "--json", "--html", str(page), "--csv", str(table))
    assert done.returncode == 0, done.stderr
    groups = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(groups) == 3
    assert all(group.keys() == {"keep", "members"} for group in groups)
    (member,) = groups[0]["members"]
    assert member.keys() == {"id", "path", "distance", "tier", "transform", "companions"}
    assert "hashret undo 1 brings them back" in done.stderr
    assert len(seen(root)) == len(before) - 3
    assert page.read_text().count("<section>") == 3
    assert len(table.read_text().splitlines()) >= 7
    assert "no duplicates" in dedup(root).stderr
    listed = run_here("undo", "--store", str(root), "--list")
    assert "3 away, 0 brought back" in listed.stdout
    back = run_here("undo", "--store", str(root), "--json")
    assert json.loads(back.stdout) == {"batch": 1, "back": 3, "left": []}
    assert seen(root) == before
    assert "nothing to undo" in run_here("undo", "--store", str(root)).stderr


def test_many_plain_pictures_are_listed_shortly(root):
    for number in range(8):
        Image.new("RGB", (100, 100), (number, 0, 90)).save(root / f"blank{number}.png")
    with Collection.change(root / ".hashret") as collection:
        collection.update(workers=1)
    shown = dedup(root)
    assert shown.stdout.count("blank") + shown.stdout.count("plain.png") == 5
    assert "and 4 more" in shown.stdout


def test_what_is_only_similar_is_not_said_to_go(root, tmp_path, monkeypatch):
    small = {"features": "lite", "network": "lite0", "size": 32}
    monkeypatch.setitem(naming._FEATURES, "photo", small)
    with Collection.change(root / ".hashret") as collection:
        collection.update(["photo"], workers=1)
    page = tmp_path / "page.html"
    shown = dedup(root, "--similar", "256", "--html", str(page))
    assert " to go" not in page.read_text()
    assert "by photo within 256 bits" in shown.stderr
    assert "never moved" in shown.stderr
    assert "--apply" not in shown.stderr


def test_what_goes_along_is_named_and_counted(root, tmp_path):
    for name in ("0", "1"):
        (root / f"{name}.jpg").rename(root / f"{name} small.jpg")
    (root / "0 small.CR2").write_bytes(b"raw")
    (root / "0 small.xmp").write_bytes(b"notes")
    (root / "0.xmp").write_bytes(b"stays")
    with Collection.change(root) as collection:
        collection.update(workers=1)
    page, table = tmp_path / "page.html", tmp_path / "table.csv"
    shown = dedup(root, "--html", str(page), "--csv", str(table))
    assert "3 groups by perceptual within 31 bits: 5 files could go" in shown.stderr
    for text in (shown.stdout, page.read_text(), table.read_text()):
        assert "0 small.CR2" in text
        assert "0 small.xmp" in text
        assert "0.xmp" not in text
    assert "3 files to go" in page.read_text()
    assert table.read_text().count(",companion,") == 2
    done = dedup(root, "--apply", "--json")
    assert "5 files moved to the quarantine" in done.stderr
    members = [one for line in done.stdout.splitlines() for one in json.loads(line)["members"]]
    assert sorted(len(one["companions"]) for one in members) == [0, 0, 2]


def test_links(root):
    done = dedup(root, "--apply", "--hardlink")
    assert "1 file made hard links" in done.stderr
    assert os.path.samefile(root / "2.png", root / "two\nlines.png")


def test_what_is_left_ends_with_three(root):
    assert dedup(root, "--apply", "-q").returncode == 0
    taken = next(iter({"0.jpg", "0.png"} - set(seen(root))))
    (root / taken).write_bytes(b"in the way")
    done = run_here("undo", "--store", str(root))
    assert done.returncode == 3
    assert f"{taken}: something else has its name now" in done.stderr
    assert run_here("undo", "--store", str(root), "--skips-ok").returncode == 0


def test_one_folder_alone(root):
    (root / "camera").mkdir()
    for name in ("0.png", "0.jpg", "1.jpg", "two\nlines.png"):
        os.rename(root / name, root / "camera" / name)
    with Collection.change(root) as collection:
        collection.update(workers=1)
    shown = dedup(root, "--under", str(root / "camera"))
    assert f"1 group by perceptual within 31 bits in {root}/camera: 1 file" in shown.stderr
    done = dedup(root, "--under", str(root / "camera"), "--apply", "-q")
    assert done.returncode == 0
    assert seen(root / "camera") == ["0.png", "1.jpg", "two\nlines.png"]
    assert seen(root) == ["1.png", "2.png", "camera", "plain.png"]


def test_the_one_that_is_preferred_stays(root):
    def groups():
        return [json.loads(line) for line in dedup(root, "--json").stdout.splitlines()]

    group = next(one for one in groups() if one["members"][0]["tier"] != "byte-equal")
    worse = group["members"][0]["id"]
    assert dedup(root, "--prefer", str(worse)).returncode == 0
    (now,) = [one for one in groups() if one["keep"]["id"] == worse]
    assert group["keep"]["id"] in {one["id"] for one in now["members"]}
    # What was said last counts.
    assert dedup(root, "--prefer", str(group["keep"]["id"])).returncode == 0
    assert group in groups()
    # A folder that nothing leaves counts more.
    assert dedup(root, "--prefer", str(worse)).returncode == 0
    kept = dedup(root, "--json", "--keep-root", str(root)).stdout
    assert kept == ""


def test_decisions_and_calibration(root, tmp_path):
    ids = {
        one["id"]
        for line in dedup(root, "--json").stdout.splitlines()
        for group in [json.loads(line)]
        for one in (group["keep"], *group["members"])
    }
    done = dedup(root, "--not-duplicates", *map(str, sorted(ids)))
    assert done.returncode == 0, done.stderr
    # Equal bytes are one image.
    assert len(dedup(root, "--json").stdout.splitlines()) == 1
    assert dedup(root, "--keep-all", *map(str, sorted(ids))).returncode == 0
    assert dedup(root, "--json").stdout == ""
    page = tmp_path / "calibration.html"
    assert "31 bits: 2 pairs" in dedup(root, "--calibrate", str(page)).stdout
    assert page.read_text().count("data:image") == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("3",), "3: expected --not-duplicates, --keep-all or --prefer with an id"),
        (("camera",), "camera: expected --not-duplicates, --keep-all or --prefer with an id, and"),
        (
            ("--prefer", "--keep-all", "1"),
            "expected one of --not-duplicates, --keep-all and --pref",
        ),
        (("--keep-all", "1", "x"), "ID: expected the number of an image, got 'x'"),
        (("--under", "/nowhere"), "under: expected a folder in the collection"),
        (("--hardlink",), "hardlink: expected with --apply"),
        (("--keep", "best"), "keep: expected largest, oldest or under:PATH, got 'best'"),
        (("--keep-root", "/nowhere"), "keep-root: expected a folder in the collection"),
        (("--scope", "any"), "scope: expected all, within, across, got 'any'"),
        (("--similar", "3", "--apply"), "similar: what it finds is only shown"),
        (("--not-duplicates", "1"), "not duplicates: expected 2 images or more, got 1"),
    ],
)
def test_usage(unchanged, options, words):
    assert_one_line(dedup(unchanged, *options), words, code=2)


def test_undo_of_no_batch(unchanged):
    done = run_here("undo", "7", "--store", str(unchanged))
    assert_one_line(done, "batch: expected one of none yet, got 7", code=2)


@contextmanager
def unread(*arguments):
    """Start the command with nobody there who reads what it prints, errors aside."""
    read, write = os.pipe()
    os.close(read)
    try:
        command = [sys.executable, "-m", "hashret", *arguments]
        with subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, text=True) as process:
            yield process
    finally:
        os.close(write)


def test_all_goes_although_nobody_reads_the_list(root):
    before = seen(root)
    with unread("dedup", "--store", str(root), "--apply") as process:
        assert "3 files moved to the quarantine" in process.stderr.read()
    assert process.returncode == 0
    assert len(seen(root)) == len(before) - 3
    (root / next(iter(set(before) - set(seen(root))))).write_bytes(b"in the way")
    with unread("undo", "--store", str(root), "--json") as process:
        assert "something else has its name now" in process.stderr.read()
    assert process.returncode == 3
    assert seen(root) == before
    (root / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    with unread("index", str(root)) as process:
        assert process.stderr.read() == ""
    assert process.returncode == 3


def test_nobody_reads_the_table(root, tmp_path):
    os.mkfifo(tmp_path / "table")
    command = ("dedup", "--store", str(root), "--apply", "-q", "--csv", str(tmp_path / "table"))
    with unread(*command) as process:
        (tmp_path / "table").open("rb").close()
        assert "has closed it" in process.stderr.read()
    assert process.returncode == 1
