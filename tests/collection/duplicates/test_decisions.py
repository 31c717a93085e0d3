"""Decisions: listed by pages, and taken back."""

from __future__ import annotations

import pytest

pytest.importorskip("pdqhash")

from collection_photos import photos

from hashret.collection import Collection
from hashret.collection.duplicates import decide, decided, decisions_of, withdraw


def test_they_are_listed_by_pages_and_taken_back(tmp_path):
    with Collection.change(photos(tmp_path / "photos")) as collection:
        catalogue = collection.catalogue
        assert decided(catalogue, 10) == []
        made = [decide(catalogue, "not duplicates", [1, one]) for one in (2, 3, 4)]
        made.append(decide(catalogue, "keep", [5]))
        listed = decided(catalogue, 10)
        assert [one.id for one in listed] == made[::-1]
        assert [one.images for one in listed] == [(5,), (1, 4), (1, 3), (1, 2)]
        assert listed[0].kind == "keep"
        assert decided(catalogue, 2) + decided(catalogue, 2, made[2]) == listed
        assert withdraw(catalogue, made[0])
        assert not withdraw(catalogue, made[0])
        assert decided(catalogue, 10) == listed[:-1]
        found = decisions_of(catalogue)
        assert not found.keeps_apart(1, 2)
        assert found.keeps_apart(1, 3)
        assert withdraw(catalogue, made[3])
        assert decisions_of(catalogue).kept == set()
        assert collection.catalogue.check() == []
