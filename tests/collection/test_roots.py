"""Roots that go away, are replaced, renamed, overlap or hold links: nothing is encoded again."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from collection_pictures import picture
from commands import run_here
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from photos import write_photo
from removing_collection import assert_settled, contents, fill, mounted, write

from hashret.collection.catalogue import encoder_rows, write_catalogue
from hashret.collection.duplicates import Rules, duplicates_of, find_duplicates
from hashret.collection.removing import batches, remove, undo

OLD = (10**18, 10**18)
# The start of a worker takes longer than so few pictures.
OPTIONS = ("--encoder", "perceptual", "--workers", "1")


@pytest.fixture
def folder(tmp_path):
    """Photographs, indexed into a store beside them."""
    return photos(tmp_path / "photos", tmp_path / "store")


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def photos(folder: Path, store: Path) -> Path:
    for number in range(6):
        put(folder / f"{number % 2}" / f"{number}.png", number)
    done = run_here("index", "-q", str(folder), "--store", str(store), *OPTIONS)
    assert done.returncode == 0, done.stderr
    return folder


def put(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_photo(path, seed)
    os.utime(path, ns=OLD)


def command(store: Path, *arguments: str):
    return run_here(*arguments, "--store", str(store))


def report(store: Path, *options: str) -> dict:
    done = command(store, "index", "--json", "--workers", "1", *options)
    return json.loads(done.stdout.splitlines()[-1])


def rows(store: Path, query: str) -> list:
    with closing(sqlite3.connect(store / "catalogue.sqlite")) as connection:
        return connection.execute(query).fetchall()


def assert_all_is_back(store: Path, known: list) -> None:
    again = report(store)
    assert again["encoded"] == again["missing"] == again["new"] == again["changed"] == 0
    assert again["back"] == 6
    assert rows(store, "SELECT id, content, code FROM images JOIN codes ON image = id") == known
    assert command(store, "verify", "--content").returncode == 0


def empty(folder: Path):
    folder.mkdir()


def file(folder: Path):
    folder.write_text("no folder")


def dangling(folder: Path):
    folder.symlink_to("nowhere")


def loop(folder: Path):
    folder.symlink_to(folder.name)


@pytest.mark.parametrize("replace", [empty, file, dangling, loop, None])
def test_a_root_that_is_replaced_and_put_back(folder, store, tmp_path, replace):
    known = rows(store, "SELECT id, content, code FROM images JOIN codes ON image = id")
    folder.rename(tmp_path / "aside")
    if replace is not None:
        replace(folder)
    for _ in range(2):
        done = command(store, "index")
        assert done.returncode == 3
        assert "6 missing" in done.stdout
        assert "mount it and run this again: all codes are kept" in done.stdout
        assert len(rows(store, "SELECT * FROM codes")) == 6
    assert command(store, "index", "--skips-ok").returncode == 0
    assert command(store, "search", "--id", "1").returncode in (0, 3)
    assert command(store, "dedup", "--apply").returncode in (0, 3)
    if replace is not None:
        folder.rmdir() if replace is empty else folder.unlink()
    (tmp_path / "aside").rename(folder)
    assert_all_is_back(store, known)


@contextmanager
def covered(folder: Path):
    """Another file system is mounted over it, as one that is not the right one."""
    with mounted(folder):
        yield


def test_a_root_that_is_covered_by_another_disk_or_unmounted(tmp_path, store):
    disk = tmp_path / "disk"
    with mounted(disk, "4m"):
        folder = photos(disk / "photos", store)
        known = rows(store, "SELECT id, content, code FROM images JOIN codes ON image = id")
        for place in (disk, folder, folder / "0"):
            with covered(place):
                done = command(store, "index")
                assert done.returncode == 3
                assert f"{3 if place.name == '0' else 6} missing" in done.stdout
                assert "all codes are kept" in done.stdout.lower()
            again = report(store)
            assert (again["encoded"], again["missing"]) == (0, 0)
        shutil.copytree(disk, tmp_path / "copy")
    # The disk is away; then it is another, with the same files.
    assert command(store, "index").returncode == 3
    with mounted(disk, "4m"):
        shutil.copytree(tmp_path / "copy", disk, dirs_exist_ok=True)
        assert_all_is_back(store, known)
        assert report(store)["found"] == 6


@pytest.mark.parametrize("replace", [empty, file, dangling, loop, None])
def test_what_is_offline_is_forgotten_by_another_word_only(folder, store, tmp_path, replace):
    known = rows(store, "SELECT id, content, code FROM images JOIN codes ON image = id")
    folder.rename(tmp_path / "aside")
    if replace is not None:
        replace(folder)
    done = command(store, "index", "--forget-missing")
    assert done.returncode == 3
    assert "6 missing" in done.stdout
    assert "kept; --forget-offline drops that, too" in done.stdout
    kept = report(store, "--forget-missing")
    assert (kept["forgotten"], kept["missing"]) == (0, 6)
    if replace is not None:
        folder.rmdir() if replace is empty else folder.unlink()
    (tmp_path / "aside").rename(folder)
    assert_all_is_back(store, known)
    (folder / "0" / "0.png").unlink()
    gone = report(store, "--forget-missing")
    assert (gone["forgotten"], gone["missing"]) == (1, 0)
    shutil.rmtree(folder)
    dropped = report(store, "--forget-offline")
    assert (dropped["forgotten"], dropped["missing"]) == (5, 0)
    assert rows(store, "SELECT * FROM images") == rows(store, "SELECT * FROM codes") == []


def test_a_folder_that_is_gone_for_good_is_dropped_with_what_is_offline(folder, store, tmp_path):
    gone = tmp_path / "disk"
    put(gone / "a.png", 7)
    write(gone / "notes.txt", b"no picture")
    assert command(store, "index", "-q", str(gone)).returncode == 0
    shutil.rmtree(gone)
    assert command(store, "index", "--forget-missing").returncode == 3
    done = command(store, "index", "--forget-offline")
    assert (done.returncode, "mounted" in done.stdout) == (0, False)
    assert len(rows(store, "SELECT * FROM roots")) == 1
    assert command(store, "index").returncode == 0
    # The last one stays: without any, another folder would be taken for the collection's.
    shutil.rmtree(folder)
    assert command(store, "index", "--forget-offline").returncode == 3
    assert len(rows(store, "SELECT * FROM roots")) == 1


def test_a_folder_from_which_files_were_moved_away_stays_for_their_return(folder, store, tmp_path):
    other = tmp_path / "disk"
    put(other / "copy.png", 0)
    assert command(store, "index", "-q", str(other)).returncode == 0
    keep = ("--keep-root", str(folder))
    assert command(store, "dedup", "--apply", "--equal", *keep).returncode == 0
    other.rename(tmp_path / "away")
    assert command(store, "index", "--forget-offline").returncode == 3
    (tmp_path / "away").rename(other)
    assert command(store, "undo").returncode == 0
    assert (other / "copy.png").exists()


def test_a_folder_whose_disk_is_not_mounted_is_offline(tmp_path, store):
    """The folder stays, empty or with other files in it, or goes with the disk."""
    folder = tmp_path / "photos"
    put(folder / "own.png", 9)
    for number in range(3):
        put(tmp_path / "disk" / f"{number}.png", number)
    place = folder / "disk" / "inner"
    with mounted(place, "4m"):
        shutil.copytree(tmp_path / "disk", place, dirs_exist_ok=True)
        index = ("index", "-q", str(folder), "--encoder", "perceptual")
        assert command(store, *index).returncode == 0
    for leave in (lambda: None, lambda: put(place / "other.png", 20), lambda: shutil.rmtree(place)):
        leave()
        kept = report(store, "--forget-missing")
        # That other file was never on the disk.
        assert (kept["missing"], kept["forgotten"] > 0) == (3, not place.exists())
    with mounted(place, "4m"):
        shutil.copytree(tmp_path / "disk", place, dirs_exist_ok=True)
        again = report(store)
        assert (again["encoded"], again["missing"]) == (0, 0)
        (place / "0.png").unlink()
        assert report(store, "--forget-missing")["forgotten"] == 1


def test_a_folder_that_cannot_be_listed(folder, store):
    os.chmod(folder / "0", 0)
    if os.access(folder / "0", os.R_OK):
        os.chmod(folder / "0", 0o755)
        pytest.skip("this user may read all")
    done = command(store, "index")
    os.chmod(folder / "0", 0o755)
    assert done.returncode == 3
    assert report(store)["encoded"] == 0


def test_a_thousand_files_and_their_folder_renamed_keep_what_was_said_of_them(tmp_path, store):
    """Names are all that changes; pictures are small, and read in this process."""
    folder = tmp_path / "photos"
    for number in range(1000):
        write(folder / "old" / f"{number}.bmp", picture(number))
    fill(store, folder)
    assert command(store, "label", "--folders", "-q").returncode == 0
    assert command(store, "dedup", "--not-duplicates", "1", "2", "-q").returncode == 0
    assert command(store, "dedup", "--keep-all", "3", "4", "-q").returncode == 0
    queries = [f"SELECT * FROM {table}" for table in ("images", "codes", "decided", "metadata")]
    before = [rows(store, query) for query in queries]
    assert all(before)
    for number in range(1000):
        (folder / "old" / f"{number}.bmp").rename(folder / "old" / f"new {number}.BMP")
    (folder / "old").rename(folder / "album")
    assert_moved(store, 1000)
    assert [rows(store, query) for query in queries] == before
    # Names that differ in case only, there and back.
    for number in range(0, 1000, 2):
        (folder / "album" / f"new {number}.BMP").rename(folder / "album" / f"NEW {number}.bmp")
    assert_moved(store, 500)
    assert [rows(store, query) for query in queries] == before


def assert_moved(store: Path, count: int) -> None:
    from collection_pictures import encoders

    from hashret.collection.updating import update

    def never(requests):
        assert list(requests) == []
        yield from ()

    with write_catalogue(str(store)) as catalogue:
        done = update(catalogue, never, encoders())
    assert (done.renamed.count, done.encoded, done.missing.count) == (count, 0, 0)


def test_contents_swapped_at_equal_size_and_time(folder, store):
    one, two = folder / "0" / "0.png", folder / "1" / "1.png"
    size = 1 + max(path.stat().st_size for path in (one, two))
    for path in (one, two):
        path.write_bytes(path.read_bytes().ljust(size, b"\0"))
        os.utime(path, ns=OLD)
    assert report(store)["changed"] == 2
    known = rows(store, "SELECT id, content FROM images ORDER BY 1")
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second), two.write_bytes(first)
    for path in (one, two):
        os.utime(path, ns=OLD)
    assert report(store)["changed"] == 0
    done = command(store, "verify", "--content")
    assert done.returncode == 1
    assert "holds other bytes" in done.stdout
    healed = report(store, "--check-content")
    assert (healed["changed"], healed["encoded"]) == (2, 0)
    assert command(store, "verify", "--content").returncode == 0
    assert rows(store, "SELECT id, content FROM images ORDER BY 1") == known


FOLDERS = ["a", "a/In", "a/in", "b", "b/x"]
NAMES = ["1.bmp", "1.BMP", "Ä.bmp", "ä.bmp", "2.bmp"]
PLACES = [f"{folder}/{name}" for folder in FOLDERS for name in NAMES]
# Nested ones, one twice, one by a symbolic link, and one that holds all the others.
ROOTS = ["a", "a/in", "a/../a", "b", "alias", "."]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    files=st.lists(
        st.tuples(
            st.sampled_from(PLACES),
            st.integers(0, 3),
            st.sampled_from(["file", "file", "hard link", "symbolic link"]),
        ),
        min_size=2,
        max_size=14,
        unique_by=lambda one: one[0],
    ),
    roots=st.lists(st.sampled_from(ROOTS), min_size=1, max_size=4),
    radius=st.sampled_from([0, 31, 140, 256]),
    keep=st.lists(st.sampled_from(["largest", "oldest", "under:a", "under:b"]), max_size=2),
    keep_root=st.lists(st.sampled_from(["a/in", "b", "alias"]), max_size=1),
    under=st.lists(st.sampled_from(["a", "a/in", "b", "alias"]), max_size=2),
    scope=st.sampled_from(["all", "within", "across"]),
    equal=st.booleans(),
    hardlink=st.booleans(),
)
def test_a_copy_of_every_content_survives_any_dedup(
    files, roots, radius, keep, keep_root, under, scope, equal, hardlink
):
    with tempfile.TemporaryDirectory() as name:
        base = Path(name).resolve()
        for inner in FOLDERS:
            (base / inner).mkdir(parents=True, exist_ok=True)
        (base / "alias").symlink_to("a/in")
        lay_out(base, files)
        store = base / "store"
        fill(store, *(base / root for root in roots))
        before, seen = contents(base), visible(base)
        there = [path for path in base.rglob("*") if path.is_file() and not path.is_symlink()]
        links = [path for path in base.rglob("*") if path.is_symlink()]
        own = [(base / root).resolve() for root in roots]
        # Folders elsewhere are refused.
        keep_root, under = (
            [one for one in folders if is_below((base / one).resolve(), own)]
            for folders in (keep_root, under)
        )
        keep = [rule for rule in keep if rule[-2:-1] != ":" or is_below(base / rule[-1], own)]
        rules = Rules(
            radius=radius,
            keep=tuple(rule.replace("under:", f"under:{base}/") for rule in keep),
            keep_roots=tuple(base / one for one in keep_root),
            under=tuple(base / one for one in under),
            scope=scope,
        )
        exact = equal or hardlink
        with write_catalogue(str(store)) as catalogue:
            encoder = None if exact else encoder_rows(catalogue)["one"]
            groups = find_duplicates(catalogue, encoder, rules)
            removed = remove(catalogue, duplicates_of(groups, equal=exact), hardlink=hardlink)
        assert contents(base).keys() == before.keys()
        # Of links elsewhere it cannot know.
        assert not [p for p in links if is_below(p, own) and not p.exists()]
        if exact:
            assert visible(base).keys() == seen.keys()
        if under:
            compared = [(base / one).resolve() for one in under]
            gone = {one for one in there if not os.path.lexists(one)}
            assert all(is_below(one.parent, compared) for one in gone)
        for one in keep_root:
            inside = (base / one).resolve()
            assert all(path.exists() for path in seen_paths(files, base) if inside in path.parents)
        assert_settled(store)
        with write_catalogue(str(store)) as catalogue:
            for batch in reversed(batches(catalogue)):
                assert undo(catalogue, batch.number).left == []
        assert contents(base) == before, removed
        assert_settled(store)


def is_below(path: Path, roots: list[Path]) -> bool:
    return any(root == path or root in path.parents for root in roots)


def lay_out(base: Path, files) -> None:
    made: list[Path] = []
    for place, number, kind in files:
        path = base / place
        if kind == "file" or not made:
            made.append(write(path, picture(number)))
        elif kind == "hard link":
            os.link(made[number % len(made)], path)
        else:
            path.symlink_to(made[number % len(made)])


def visible(base: Path):
    return contents(*(base / name for name in ("a", "b")))


def seen_paths(files, base: Path) -> list[Path]:
    return [base / place for place, _, _ in files]
