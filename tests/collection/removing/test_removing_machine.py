"""Whatever is removed, a copy of every content stays, and all of it comes back."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from collection_pictures import picture
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from removing_collection import assert_settled, contents, copy_of, fill, write

from hashret.collection.catalogue import write_catalogue
from hashret.collection.removing import Duplicate, batches, remove, undo

ROOTS = ["a", "a/inner", "b"]
FOLDERS = [*ROOTS, "a/x", "a/inner/z"]
NAMES = ["1.bmp", "1.BMP", "2.bmp", "1.xmp", "new\nline.bmp", os.fsdecode(b"no\xffutf8.bmp")]
paths = st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES)).map("/".join)
numbers = st.integers(0, 2)


class Removals(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.base = Path(tempfile.mkdtemp()).resolve()
        self.store = self.base / "store"
        for number, folder in enumerate(FOLDERS):
            write(self.base / folder / "1.bmp", picture(number % 3))
        write(self.base / "a" / "1.xmp", b"sidecar")
        fill(self.store, *(self.base / root for root in ROOTS))
        self.wanted = contents(self.base)

    def teardown(self):
        with write_catalogue(str(self.store)) as catalogue:
            for batch in reversed(batches(catalogue)):
                undo(catalogue, batch.number)
        assert self.wanted.keys() <= contents(self.base).keys()
        shutil.rmtree(self.base)

    def visible(self):
        found = [p for p in self.base.rglob("*.*") if ".hashret" not in p.parts and p.is_file()]
        return sorted(p for p in found if p.suffix.lower() == ".bmp")

    @rule(name=paths, number=numbers)
    def create(self, name, number):
        path = self.base / name
        if not os.path.lexists(path):
            write(path, picture(number))
            self.wanted = contents(self.base)
            self.refresh()

    @rule(name=paths, old=numbers, hard=st.booleans())
    def link(self, name, old, hard):
        path, found = self.base / name, self.visible()
        if found and path.suffix != ".xmp" and not os.path.lexists(path):
            target = found[old % len(found)]
            os.link(target.resolve(), path) if hard else path.symlink_to(target)
            self.refresh()

    def refresh(self):
        fill(self.store, *(self.base / root for root in ROOTS))

    @rule(
        chosen=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6),
        equal=st.booleans(),
        hardlink=st.booleans(),
    )
    def remove(self, chosen, equal, hardlink):
        found = self.visible()
        before = contents(self.base)
        seen = {path.read_bytes() for path in found}
        if not found:
            return
        with write_catalogue(str(self.store)) as catalogue:
            plan = []
            for one, other in chosen:
                pair = [copy_of(catalogue, found[n % len(found)]) for n in (one, other)]
                same = pair[0].content == pair[1].content
                if same or not (equal or hardlink):
                    plan.append(Duplicate(*pair))
            remove(catalogue, plan, hardlink=hardlink)
        assert contents(self.base).keys() == before.keys()
        if equal or hardlink:
            # Of equal files one stays in sight.
            assert {path.read_bytes() for path in self.visible()} == seen

    @rule(number=st.one_of(st.none(), st.integers(1, 4)))
    def undo(self, number):
        with write_catalogue(str(self.store)) as catalogue:
            if number is None or number in {one.number for one in batches(catalogue)}:
                undo(catalogue, number)

    @invariant()
    def nothing_is_lost(self):
        assert self.wanted.keys() <= contents(self.base).keys()

    @invariant()
    def catalogue_agrees(self):
        assert_settled(self.store)


SETTINGS = settings(
    max_examples=10,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestRemovals(Removals.TestCase):
    settings = SETTINGS


@pytest.mark.slow
class TestMoreRemovals(Removals.TestCase):
    settings = settings(SETTINGS, max_examples=100)
