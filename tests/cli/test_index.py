"""``hashret index``: what it reports, what it remembers, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from commands import assert_one_line, run, run_here
from photos import write_photo
from PIL import Image

from hashret.collection import Collection

pytest.importorskip("typer")
pytest.importorskip("rich")


# No network that is fitted, and no more workers than so few pictures are worth.
FEW = ("--encoder", "perceptual", "--workers", "1")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(3):
        write_photo(root / f"{number}.png", number)
    return root


def as_json(done):
    return json.loads(done.stdout.splitlines()[-1])


def test_the_current_folder_becomes_a_collection_and_stays_it(folder):
    done = run("index", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 images: 3 new.")
    assert done.stderr == ""
    inner = folder / "inner"
    inner.mkdir()
    write_photo(inner / "3.png", 3)
    os.rename(folder / "0.png", inner / "0.png")
    os.remove(folder / "1.png")
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = run_here("index", "--json", cwd=inner)
    assert done.returncode == 3
    report = as_json(done)
    skipped = report.pop("skipped")
    assert report.pop("seconds") > 0
    assert report == {
        "found": 4,
        "new": 1,
        "changed": 0,
        "renamed": 1,
        "back": 0,
        "missing": 1,
        "forgotten": 0,
        "other": 0,
        "encoded": 1,
        "unreachable": [],
    }
    assert [one["path"] for one in skipped] == [str(folder / "bad.png")]
    assert skipped[0]["reason"]
    done = run_here("index", "--skips-ok", cwd=folder)
    assert done.returncode == 0
    assert "missing:\n  1.png" in done.stdout
    assert "skipped:\n  bad.png: " in done.stdout
    done = run_here("index", "--forget-missing", "-q", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    assert as_json(run_here("index", "--json", cwd=folder))["missing"] == 0


def test_names_that_are_no_text_and_markup(folder):
    odd = os.fsencode(folder) + b"/[red]\xff\n\x1b[31m.png"
    with open(odd, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
    done = run_here("index", *FEW, cwd=folder)
    assert done.returncode == 3
    assert r"  [red]\xff\n\x1b[31m.png: " in done.stdout
    (skipped,) = as_json(run_here("index", "--json", cwd=folder))["skipped"]
    assert skipped["path"] == f"{folder}/[red]\ufffd\n\x1b[31m.png"
    import base64

    assert base64.b64decode(skipped["path_bytes"]) == odd


def test_settings_are_remembered_until_they_are_given_again(folder):
    write_photo(folder / ".hidden.png", 7)
    write_photo(folder / "x.tmp.png", 8)
    run_here("index", *FEW, "--exclude", "*.tmp.png", "--hidden", cwd=folder)
    assert as_json(run_here("index", "--json", cwd=folder))["found"] == 4
    assert as_json(run_here("index", "--json", "--exclude", "", cwd=folder))["found"] == 5
    assert as_json(run_here("index", "--json", "--no-hidden", cwd=folder))["found"] == 4
    assert_one_line(run_here("index", "--exclude", "!", cwd=folder), "exclude: ", code=2)


def test_an_empty_or_vanished_root_keeps_its_codes(folder, tmp_path):
    store = tmp_path / "store"
    run_here("index", *FEW, str(folder), "--store", str(store))
    aside = tmp_path / "aside"
    os.rename(folder, aside)
    done = run_here("index", str(folder), "--store", str(store))
    assert done.returncode == 3
    assert "mount it and run this again: all codes are kept" in done.stdout
    folder.mkdir()
    assert run_here("index", "--store", str(store)).returncode == 3
    folder.rmdir()
    os.rename(aside, folder)
    report = as_json(run_here("index", "--json", "--store", str(store)))
    assert (report["encoded"], report["back"], report["missing"]) == (0, 3, 0)


def test_several_folders_and_one_inside_another(folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    inner = folder / "inner"
    inner.mkdir()
    run_here("index", *FEW, str(folder), str(other))
    assert as_json(run_here("index", "--json", str(inner)))["found"] == 6
    with Collection.open(folder) as collection:
        assert collection.roots == [str(folder), str(other)]


def test_what_cannot_be_done_is_one_line(folder, tmp_path):
    assert_one_line(run_here("index", str(folder / "none")), "none: no folder")
    assert_one_line(run_here("index", "--max-pixels", "many", cwd=folder), "max-pixels", code=2)
    assert_one_line(run_here("index", "--max-seconds", "nan", cwd=folder), "max-seconds", code=2)
    assert_one_line(run_here("index", "--workers", "0", cwd=folder), "workers", code=2)
    assert_one_line(run_here("index", "--encoder", "none", cwd=folder), "none", code=2)
    run_here("index", *FEW, cwd=folder)
    with Collection.change(folder):
        assert_one_line(run_here("index", cwd=folder), f"changed by process {os.getpid()} ")


@pytest.mark.skipif(not os.path.isdir("/sys/kernel"), reason="nothing here refuses even root")
def test_a_folder_that_cannot_be_written_needs_a_store(tmp_path):
    assert_one_line(run_here("index", "/sys/kernel"), "--store FOLDER")
    assert run_here("index", *FEW, "/sys/kernel/mm", "--store", str(tmp_path)).returncode in (0, 3)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Pictures so large that a command is at them when a signal comes."""
    folder = tmp_path_factory.mktemp("large")
    gradient = np.linspace(0, 255, 3000 * 2500).astype(np.uint8).reshape(2500, 3000)
    for number in range(12):
        Image.fromarray(gradient + np.uint8(number)).save(
            folder / f"{number}.png", compress_level=1
        )
    return folder


def begin(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "hashret", "index", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ on Windows")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_that_it_goes_on_from_there(large, tmp_path, sent):
    folder = tmp_path / "photos"
    shutil.copytree(large, folder)
    process = begin(folder, *FEW)
    until((folder / ".hashret" / "catalogue.sqlite").exists)
    time.sleep(0.3)
    process.send_signal(sent)
    start = time.monotonic()
    output, errors = process.communicate(timeout=30)
    assert time.monotonic() - start < 5
    assert process.returncode == 130, output + errors
    assert errors == (
        "hashret: interrupted: what was read so far is kept; the same command goes on from there\n"
    )
    assert as_json(run_here("index", "--json", cwd=folder))["found"] == 12


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ on Windows")
def test_watching_keeps_up_until_it_is_ended(folder):
    process = begin(folder, *FEW, "--watch", "--rescan", "0.02", "--json")
    try:
        assert json.loads(process.stdout.readline())["new"] == 3
        # Between updates others may change the collection.
        until(lambda: changes(folder))
        write_photo(folder / "late.png", 99)
        reports = [json.loads(process.stdout.readline()) for _ in range(1)]
        while not reports[-1]["new"]:
            reports.append(json.loads(process.stdout.readline()))
        assert reports[-1]["found"] == 4
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ on Windows")
def test_watching_goes_on_when_nobody_reads_any_more(folder):
    process = begin(folder, *FEW, "--watch", "--rescan", "0.02", "--json")
    try:
        process.stdout.readline()
        process.stdout.close()
        # What it prints of the first finds nobody.
        for count in (4, 5):
            write_photo(folder / f"{count}.png", 90 + count)
            until(lambda count=count: images_in(folder) == count)
    finally:
        process.send_signal(signal.SIGTERM)
        errors = process.stderr.read()
        process.stderr.close()
        assert (process.wait(30), errors) == (0, "")


def images_in(folder):
    with Collection.open(folder) as collection:
        return collection.catalogue.execute("SELECT count(*) FROM images").fetchone()[0]


def changes(folder):
    try:
        Collection.change(folder).close()
    except BlockingIOError:
        return False
    return True


def test_a_folder_that_is_not_there_is_refused_in_a_collection_too(folder):
    run_here("index", *FEW, cwd=folder)
    done = run_here("index", "--re-encode", "photo", cwd=folder)
    assert_one_line(done, "photo: no folder")


def test_an_encoder_that_came_is_told_and_so_is_the_folder_from_elsewhere(folder, tmp_path):
    run_here("index", *FEW, cwd=folder)
    done = run_here("index", "--encoder", "hog", str(folder), cwd=tmp_path)
    assert done.stdout.startswith(f"3 images in {folder}: 3 encoded.")


def test_what_has_too_many_pixels_is_skipped_with_advice(folder):
    done = run_here("index", *FEW, "--max-pixels", "100", cwd=folder)
    assert done.returncode == 3
    assert "by --retry-skipped --max-pixels 300M" in done.stdout
    done = run_here("index", "--retry-skipped", "--max-pixels", "300M", cwd=folder)
    assert done.returncode == 0
