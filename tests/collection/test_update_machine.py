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

from hashret.collection import update as module
from hashret.collection.catalogue import write_catalogue
from hashret.collection.comparing import GONE
from hashret.collection.roots import add_root, roots_of
from hashret.collection.update import update

ROOTS = ["a", "a/inner", "b"]
FOLDERS = [*ROOTS, "a/x", "a/x/y", "a/inner/z", "b/x"]
NAMES = ["1", "2.jpg", "new\nline", os.fsdecode(b"no\xffutf8"), ".hidden"]
folders = st.sampled_from(FOLDERS)
files = st.tuples(folders, st.sampled_from(NAMES)).map("/".join)
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
        with write_catalogue(str(self.base / "store")) as catalogue:
            for root in ROOTS:
                add_root(catalogue, str(self.base / root))

    def teardown(self):
        shutil.rmtree(self.base)

    def free(self, name):
        """A path that a file may take, or None."""
        path = self.base / name
        return path if path.parent.is_dir() and not path.is_dir() else None

    def there(self, name):
        path = self.base / name
        return path if os.path.lexists(path) and not path.is_dir() else None

    def regular(self, name):
        path = self.base / name
        return path if path.is_file() and not path.is_symlink() else None

    @rule(name=files, number=pictures)
    def create(self, name, number):
        if path := self.free(name):
            path.unlink(missing_ok=True)
            path.write_bytes(PICTURES[number])
            self.times += 1
            os.utime(path, (self.times, self.times))

    @rule(name=files, number=pictures)
    def write_within_a_tick(self, name, number):
        if (path := self.free(name)) and not (os.path.lexists(path) and not self.regular(name)):
            path.write_bytes(PICTURES[number])
            os.utime(path, (int(time.time()),) * 2)

    @rule(name=files, other=files)
    def rename(self, name, other):
        if (path := self.there(name)) and (target := self.free(other)):
            path.replace(target)

    @rule(name=files, other=files)
    def swap(self, name, other):
        if (path := self.there(name)) and (target := self.there(other)) and name != other:
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

    @rule(name=files)
    def delete(self, name):
        if path := self.there(name):
            path.unlink()

    @rule(name=folders)
    def delete_folder(self, name):
        shutil.rmtree(self.base / name, ignore_errors=True)

    @rule(name=folders)
    def make_folder(self, name):
        (self.base / name).mkdir(parents=True, exist_ok=True)

    @rule(name=files, other=files, make=st.sampled_from([os.link, os.symlink]))
    def link(self, name, other, make):
        if (path := self.there(name)) and (target := self.free(other)) and not self.there(other):
            make(path, target)

    @rule(name=files)
    def copy_with_time(self, name):
        if (path := self.regular(name)) and (target := self.free(f"{name}.copy")):
            target.unlink(missing_ok=True)
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

    @rule(name=files, other=files)
    def swap_contents_unnoticed(self, name, other):
        one, two = self.regular(name), self.regular(other)
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
                root = roots[number]
                whole = root / os.fsdecode(path)
                unreachable = not root.is_dir() or not {whole, *whole.parents}.isdisjoint(
                    self.denied
                )
                emptied = all(key[0] != number for key in expected)
                if row[1] == GONE:
                    assert not unreachable
                    assert not emptied
                elif not emptied:
                    assert unreachable
        self.compare_images(catalogue, {row[2] for row in there.values() if row[0] == "present"})

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


TestFiles = Files.TestCase
TestFiles.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[*HealthCheck],
)
