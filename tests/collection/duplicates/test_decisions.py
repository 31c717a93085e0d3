"""Decisions: listed by pages, and taken back."""

from __future__ import annotations

import pytest

pytest.importorskip("pathspec")

from collection_photos import photos

from hashret.collection import Collection
from hashret.collection.duplicates import (
    decide,
    decide_each,
    decided,
    decisions_of,
    time_of,
    withdraw,
)
from hashret.errors import ParameterError


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
        assert time_of(catalogue, made[0]) == listed[-1].time_ns
        assert withdraw(catalogue, listed[-1].time_ns) == 1
        assert withdraw(catalogue, listed[-1].time_ns) == 0
        assert time_of(catalogue, made[0]) is None
        assert decided(catalogue, 10) == listed[:-1]
        found = decisions_of(catalogue)
        assert not found.keeps_apart(1, 2)
        assert found.keeps_apart(1, 3)
        assert withdraw(catalogue, listed[0].time_ns)
        assert decisions_of(catalogue).kept == set()
        assert collection.catalogue.check() == []


def test_the_number_of_one_that_is_gone_is_never_given_again(tmp_path):
    with Collection.change(photos(tmp_path / "photos")) as collection:
        catalogue = collection.catalogue
        first = decide(catalogue, "keep", [1])
        withdraw(catalogue, time_of(catalogue, first))
        assert decide(catalogue, "keep", [2]) > first
        assert time_of(catalogue, first) is None


def test_those_that_are_made_together_are_one(tmp_path):
    with Collection.change(photos(tmp_path / "photos")) as collection:
        catalogue = collection.catalogue
        decide(catalogue, "keep", [1])
        assert len(decide_each(catalogue, "not duplicates", [[1, 2], [3, 4]], 77)) == 2
        (last,) = decide_each(catalogue, "not duplicates", [[4, 5]], 77)
        with pytest.raises(ParameterError, match="no image of the collection: 999"):
            decide_each(catalogue, "not duplicates", [[1, 3], [1, 999]], 77)
        assert [(one.id, one.size) for one in decided(catalogue, 10)] == [(last, 3), (1, 1)]
        assert decided(catalogue, 10)[0].images == (4, 5)
        assert withdraw(catalogue, 77) == 3
        assert [one.size for one in decided(catalogue, 10)] == [1]
        assert decisions_of(catalogue).apart == {}
