"""Whatever happens to the files, an update finds it, loses nothing, and encodes nothing twice."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from unittest import mock

import pytest
from collection_oracle import files_of
from collection_pictures import encoded, encoders, picture, read
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from hashret.collection.catalogue import GONE, add_root, roots_of, write_catalogue
from hashret.collection.updating import update
from hashret.collection.updating import updater as module

ROOTS = ["a", "a/inner", "b"]
FOLDERS = [*ROOTS, "a/x", "a/inner/z"]
NAMES = ["1", "2", "new\nline", os.fsdecode(b"no\xffutf8"), ".hidden"]
folders = st.sampled_from(FOLDERS)
files = st.tuples(folders, st.sampled_from(NAMES)).map("/".join)
old = st.integers(0, 50)  # which of the files that there are
pictures = st.integers(0, 5)
PICTURES = [picture(number) for number in range(6)]


class Files(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.base = Path(tempfile.mkdtemp()).resolve()
        for folder in FOLDERS:
            (self.base / folder).mkdir(parents=True, exist_ok=True)
        self.denied: set[Path] = set()
        self.ids: dict[bytes, int] = {}
        self.times = 10**9
        self.suspect = False  # contents have changed and nothing tells
        for number, folder in enumerate(FOLDERS):
            self.create(f"{folder}/1", number)
            self.create(f"{folder}/2", 0)
        with write_catalogue(str(self.base / "store")) as catalogue:
            for root in ROOTS:
                add_root(catalogue, str(self.base / root))

    def teardown(self):
        shutil.rmtree(self.base)

    def free(self, name):
        """A path that a file may take, or None."""
        path = self.base / name
        return path if path.parent.is_dir() and not path.is_dir() else None

    def there(self, number):
        """One of the files that there are, or None."""
        paths = sorted(path for path in self.base.rglob("*") if self.is_ours(path))
        return paths[number % len(paths)] if paths else None

    def is_ours(self, path):
        inside = "store" not in path.parts and os.path.lexists(path)
        return inside and (path.is_symlink() or not path.is_dir())

    def regular(self, number):
        path = self.there(number)
        return path if path and path.is_file() and not path.is_symlink() else None

    @rule(name=files, number=pictures)
    def create(self, name, number):
        if path := self.free(name):
            path.unlink(missing_ok=True)
            path.write_bytes(PICTURES[number])
            self.times += 1
            os.utime(path, (self.times, self.times))

    @rule(which=old, number=pictures)
    def write_within_a_tick(self, which, number):
        if path := self.regular(which):
            path.write_bytes(PICTURES[number])
            os.utime(path, (int(time.time()),) * 2)

    @rule(which=old, other=files)
    def rename(self, which, other):
        if (path := self.there(which)) and (target := self.free(other)):
            path.replace(target)

    @rule(which=old, other=old)
    def swap(self, which, other):
        path, target = self.there(which), self.there(other)
        if path != target:
            path.rename(self.base / "swap")
            target.rename(path)
            (self.base / "swap").rename(target)

    @rule(name=folders, other=folders)
    def rename_folder(self, name, other):
        path, target = self.base / name, self.base / other
        if (
            path.is_dir()
            and target.parent.is_dir()
            and not target.exists()
            and path not in target.parents
        ):
            path.rename(target)

    @rule(which=old)
    def delete(self, which):
        if path := self.there(which):
            path.unlink()

    @rule(name=folders)
    def delete_folder(self, name):
        shutil.rmtree(self.base / name, ignore_errors=True)

    @rule(name=folders)
    def make_folder(self, name):
        (self.base / name).mkdir(parents=True, exist_ok=True)

    @rule(which=old, other=files, make=st.sampled_from([os.link, os.symlink]))
    def link(self, which, other, make):
        path, target = self.there(which), self.free(other)
        if path and target and not os.path.lexists(target):
            make(path, target)

    @rule(which=old, other=files)
    def copy_with_time(self, which, other):
        path, target = self.regular(which), self.free(other)
        if path and target and not os.path.lexists(target):
            shutil.copy2(path, target)

    @rule(name=files, what=st.sampled_from(["fifo", "dangling", "loop", "damaged", "empty"]))
    def odd(self, name, what):
        path = self.free(name)
        if path is None or os.path.lexists(path):
            return
        if what == "fifo":
            os.mkfifo(path)
        elif what in ("damaged", "empty"):
            path.write_bytes(b"damaged" if what == "damaged" else b"")
        else:
            path.symlink_to(path if what == "loop" else "/nowhere/at/all")

    @rule(which=old, another=old)
    def swap_contents_unnoticed(self, which, another):
        one, two = self.regular(which), self.regular(another)
        if one and two and one.stat().st_size == two.stat().st_size:
            contents = one.read_bytes(), two.read_bytes()
            for path, data in ((one, contents[1]), (two, contents[0])):
                status = path.stat()
                path.write_bytes(data)
                os.utime(path, ns=(status.st_mtime_ns,) * 2)
            self.suspect = True

    @rule(name=folders)
    def deny(self, name):
        self.denied = {*list(self.denied)[:1], self.base / name}

    @precondition(lambda self: self.denied)
    @rule()
    def allow(self):
        self.denied = set()

    @rule(name=st.sampled_from(["a", "b"]))
    def take_root_away_or_put_it_back(self, name):
        root, away = self.base / name, self.base / f"{name}.away"
        if away.exists():
            shutil.rmtree(root, ignore_errors=True)
            away.rename(root)
        elif root.exists():
            root.rename(away)

    @rule(batches=st.integers(0, 3), check=st.booleans())
    def update_is_interrupted(self, batches, check):
        left = [batches]

        def stop(report):
            left[0] -= 1
            if left[0] < 0:
                raise InterruptedError

        with write_catalogue(str(self.base / "store")) as catalogue, self.denying():
            with suppress(InterruptedError):
                update(catalogue, read, encoders(), check_content=check, on_batch=stop)
            assert catalogue.check() == []

    @rule(check=st.booleans())
    def update(self, check):
        given = encoders("one", "two")
        with write_catalogue(str(self.base / "store")) as catalogue, self.denying():
            before = self.count(catalogue)
            update(catalogue, read, given, check_content=check)
            self.suspect = self.suspect and not check
            self.compare(catalogue)
            assert encoded(given) == self.count(catalogue) - before, "encoded twice"
            again = update(catalogue, read, given)
            assert (again.encoded, again.new.count, again.renamed.count) == (0, 0, 0)

    def denying(self):
        scandir, denied = os.scandir, {os.fsencode(path) for path in self.denied}

        def listed(path):
            if os.path.normpath(path) in denied:
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        return mock.patch.object(os, "scandir", listed)

    def count(self, catalogue):
        return catalogue.execute("SELECT count(*) FROM codes").fetchone()[0]

    def compare(self, catalogue):
        assert catalogue.check() == []
        rows = {
            (root, path): (state, reason, content)
            for root, path, state, reason, content in catalogue.execute(
                "SELECT root, path, state, reason, content FROM files"
            )
        }
        roots = {root.id: Path(os.fsdecode(root.path)) for root in roots_of(catalogue)}
        expected = {
            (number, path): content
            for number, root in roots.items()
            if root.is_dir()
            for path, content in files_of(root, {*roots.values()} - {root}, self.denied).items()
        }
        there = {key: row for key, row in rows.items() if row[0] != "missing"}
        assert there.keys() == expected.keys()
        for key, content in expected.items():
            assert (there[key][0] == "present") == (content is not None) or self.suspect
            assert content is None or there[key][2] == content or self.suspect
        for (number, path), row in rows.items():
            if row[0] == "missing":
                empty = all(key[0] != number for key in expected)
                self.compare_missing(roots[number], os.fsdecode(path), row[1] == GONE, empty)
        self.compare_images(catalogue, {row[2] for row in there.values() if row[0] == "present"})

    def compare_missing(self, root, path, gone, empty):
        """A file counts as gone only if its folder could be looked into, and is no empty root."""
        denied = {one for one in self.denied if one.is_dir() and one.is_relative_to(root)}
        unreachable = not root.is_dir() or not denied.isdisjoint((root / path).parents)
        assert not (gone and unreachable)
        assert not (gone and empty and not denied)
        assert gone or unreachable or empty

    def compare_images(self, catalogue, contents):
        """Images have one id for ever, and codes of both encoders that are theirs."""
        ids = dict(catalogue.execute("SELECT content, id FROM images").fetchall())
        assert contents <= ids.keys()
        assert self.ids.items() <= ids.items()
        self.ids = ids
        query = "SELECT count(*) FROM codes JOIN images ON images.id = image WHERE content = ?"
        for content in contents:
            assert catalogue.execute(query, (content,)).fetchone() == (2,)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)


SETTINGS = settings(
    max_examples=20,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[*HealthCheck],
)


class TestFiles(Files.TestCase):
    settings = SETTINGS


@pytest.mark.slow
class TestMoreFiles(Files.TestCase):
    settings = settings(SETTINGS, max_examples=300)
