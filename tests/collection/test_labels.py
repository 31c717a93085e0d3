"""Labels belong to contents: they follow files, and are given by paths, folders and ids."""

from __future__ import annotations

import os

import pytest
from collection_photos import photos, write

from hashret import HashretError
from hashret.collection import Collection
from hashret.collection.labels import (
    folder_labels,
    keys_of,
    labels_of,
    read_labels,
    remove_labels,
    set_labels,
    values_of,
)
from hashret.collection.places import place


@pytest.fixture
def folder(tmp_path):
    return photos(tmp_path / "photos", 3)


def test_labels_follow_a_renamed_image_and_come_back_with_it(folder, tmp_path):
    with Collection.change(folder) as collection:
        assert set_labels(collection.catalogue, "animal", {1: "cat", 2: "dog"}) == 2
        assert set_labels(collection.catalogue, "animal", {1: "cat", 2: "cow"}) == 1
        known = labels_of(collection.catalogue, "animal")
    os.rename(folder / "0.png", tmp_path / "away.png")
    with Collection.change(folder) as collection:
        collection.update(forget=True)
        assert len(labels_of(collection.catalogue, "animal")) == 1
        os.rename(tmp_path / "away.png", folder / "new name.png")
        collection.update()
        assert sorted(labels_of(collection.catalogue, "animal").values()) == sorted(known.values())


def test_keys_values_and_taking_back(folder):
    with Collection.change(folder) as collection:
        catalogue = collection.catalogue
        set_labels(catalogue, "a", {1: "x", 2: "x", 3: "y"})
        set_labels(catalogue, "b", {1: "z\n'\"; DROP TABLE metadata"})
        assert keys_of(catalogue) == [("a", 3, 2), ("b", 1, 1)]
        assert values_of(catalogue, [3, 1]) == {
            3: {"a": "y"},
            1: {"a": "x", "b": "z\n'\"; DROP TABLE metadata"},
        }
        assert remove_labels(catalogue, "a", [1]) == 1
        assert remove_labels(catalogue, "a") == 2
        with pytest.raises(HashretError, match="no image has 'a'; keys of the collection: b"):
            remove_labels(catalogue, "a")


@pytest.mark.parametrize(
    ("key", "labels", "says"),
    [
        ("", {1: "x"}, "key: expected 1 to 100"),
        ("a=b", {1: "x"}, "without '='"),
        ("a\n", {1: "x"}, "printable"),
        ("k" * 101, {1: "x"}, "1 to 100"),
        ("k", {1: ""}, "value: expected 1 to 10000"),
        ("k", {1: "x" * 10_001}, "10001"),
        ("k", {1: "\0"}, "expected text"),
        ("k", {1: "\udc80"}, "expected text"),
        ("k", {1: "x", 99: "y"}, "no image 99"),
        ("k", {1: "x", 2**70: "y"}, "no image"),
    ],
)
def test_unfit_labels_change_nothing(folder, key, labels, says):
    with Collection.change(folder) as collection:
        with pytest.raises(HashretError, match=says):
            set_labels(collection.catalogue, key, labels)
        assert keys_of(collection.catalogue) == []


def test_folders_label_by_the_first_below_the_root(tmp_path):
    root = tmp_path / "photos"
    write(root / "cats" / "deep" / "1.png", 1)
    write(root / "dogs" / "2.png", 2)
    write(root / "3.png", 3)
    write(root / "cats" / "both.png", 4)
    write(root / "dogs" / "both.png", 4)
    with Collection.create([root]) as collection:
        collection.update(["perceptual"], workers=1)
        placed = place(collection.catalogue, folder_labels(collection.catalogue))
        assert sorted(placed.values.values()) == ["cats", "cats", "dogs"]
        assert [os.path.basename(path) for path, _ in placed.refused] == ["both.png"]


def test_a_csv_labels_by_path_absolute_or_relative(folder, tmp_path):
    csv = tmp_path / "labels.csv"
    csv.write_text(
        f'path,label\r\n0.png,a\r\n./1.png,"b, c"\r\n{folder}/2.png,d\r\nno.png,e\r\n0.png,f\r\n'
    )
    with Collection.open(folder) as collection:
        placed = place(collection.catalogue, read_labels(csv), tmp_path)
        assert sorted(placed.values.values()) == ["a", "b, c", "d"]
        assert [path for path, _ in placed.refused] == ["no.png", "0.png"]


@pytest.mark.parametrize("text", [b"a,b,c\n", b"a\n", b"a,\n", b'"a', b"\xff\xfea\0,\0b\0\n"])
def test_a_csv_that_is_none_is_refused_by_its_line(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_bytes(text)
    with pytest.raises(HashretError, match="line"):
        list(read_labels(path))


def test_a_name_in_two_roots_needs_its_whole_path(tmp_path):
    for number, name in enumerate("ab"):
        write(tmp_path / name / "1.png", number)
    with Collection.create([tmp_path / "a", tmp_path / "b"]) as collection:
        collection.update(["perceptual"], workers=1)
        placed = place(collection.catalogue, [("1.png", "x"), (f"{tmp_path}/b/1.png", "y")])
        assert list(placed.values.values()) == ["y"]
        assert "whole path" in placed.refused[0][1]
