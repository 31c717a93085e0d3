"""Data sets of two levels of labels, as they lie in folders."""

from __future__ import annotations

import csv
import importlib.resources

import numpy as np
import pytest

pytest.importorskip("PIL")

from PIL import Image

from hashret.datasets import two_levels
from hashret.errors import DatasetNotFoundError, FormatError, ImageError, ParameterError


def picture(path, shade=0, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, 0, 0)).save(path)


def nested(root, train=20, test=1, size=(8, 8)):
    """Write two classes of two finer labels, and one finer label of few images."""
    for part, count in (("train", train), ("test", test)):
        for label in ("cat", "dog"):
            for finer in ("big", "small"):
                for number in range(count):
                    picture(root / part / label / finer / f"{number:03}.png", number, size)
    picture(root / "train" / "cat" / "odd" / "000.png", 0, size)


def test_a_nested_folder_has_classes_and_finer_labels(tmp_path):
    nested(tmp_path / "two-levels")
    data = two_levels("two-levels", tmp_path)
    assert (data.train_images.shape, data.test_images.shape) == ((81, 8, 8, 3), (4, 8, 8, 3))
    assert data.class_names == ("cat", "dog")
    assert data.finer_names == ("cat/big", "cat/small", "dog/big", "dog/small")
    assert np.bincount(data.train_labels).tolist() == [41, 40]
    # Of a finer label with fewer than 20 images nothing can be said.
    assert np.bincount(data.train_finer + 1).tolist() == [1, 20, 20, 20, 20]
    assert data.test_finer.tolist() == [0, 1, 2, 3]
    assert np.array_equal(data.train_finer[data.train_finer >= 0] // 2, np.repeat([0, 1], 40))


def test_the_folder_is_looked_for_where_the_variable_says(tmp_path, monkeypatch):
    nested(tmp_path / "two-levels", train=1)
    monkeypatch.setenv("HASHRET_DATA", str(tmp_path))
    assert len(two_levels("two-levels").train_images) == 5
    with pytest.raises(DatasetNotFoundError, match=r"grocery: not found .* laid out as"):
        two_levels("grocery")


def cifar10(root, noun_of):
    rows = []
    for part in ("train", "test"):
        for label in ("cat", "truck"):
            for number in range(20):
                picture(root / part / label / f"{number:04}.jpg", number, (32, 32))
                file = f"cifar10/{part}/{label}/{number:04}.jpg"
                rows.append((file, noun_of(label, number)))
    return rows


def test_nouns_that_are_synonyms_are_one_and_names_of_the_class_are_none(tmp_path):
    nouns = {"cat": ("tabby", "tabby_cat", "cat", "mouser"), "truck": ("lorry", "camion", "semi")}
    root = tmp_path / "cifar10"
    rows = cifar10(root, lambda label, number: nouns[label][number % len(nouns[label])])
    with pytest.raises(FormatError, match=r"expected nouns.csv in it, or cifar10-nouns.csv beside"):
        two_levels("cifar10-nouns", tmp_path)
    with open(tmp_path / "cifar10-nouns.csv", "w", newline="") as file:
        csv.writer(file).writerows([("file", "noun"), *rows])
    data = two_levels("cifar10-nouns", tmp_path)
    # 20 tabbies of 2 names, no plain cats; 10 mousers are too few.
    assert data.finer_names == ("cat/tabby", "truck/lorry")
    assert (data.train_finer == 0).sum() == 10
    with open(root / "nouns.csv", "w", newline="") as file:
        csv.writer(file).writerows([("file", "noun"), *rows[1:]])
    with pytest.raises(FormatError, match=r"no line for train/cat/0000.jpg"):
        two_levels("cifar10-nouns", tmp_path)
    (root / "nouns.csv").write_text("name,noun\n")
    with pytest.raises(FormatError, match="expected the columns file, noun"):
        two_levels("cifar10-nouns", tmp_path)
    (root / "nouns.csv").write_text("file,noun\na.jpg,Kätzchen\n", "latin-1")
    with pytest.raises(FormatError, match=r"nouns.csv: expected text in UTF-8"):
        two_levels("cifar10-nouns", tmp_path)
    (root / "nouns.csv").write_text("file,noun\na.jpg," + "x" * 200_000)
    with pytest.raises(FormatError, match=r"nouns.csv, after line 1: field larger"):
        two_levels("cifar10-nouns", tmp_path)


def test_the_table_of_synonyms_is_consistent():
    path = importlib.resources.files("hashret") / "data/cifar10-synonyms.csv"
    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    keys = [(row["class"], row["noun"]) for row in rows]
    assert len(set(keys)) == len(keys) > 200
    merged = {key: row["merged"] for key, row in zip(keys, rows, strict=True)}
    # What others are merged to is itself in the table, merged to itself.
    assert all(merged[label, name] == name for (label, _), name in merged.items() if name)


def test_the_lists_of_grocery_decide_what_is_trained_on(tmp_path):
    root = tmp_path / "grocery"
    for part, count in (("train", 15), ("val", 5), ("test", 2)):
        lines = []
        for finer, label in ((0, 0), (1, 0), (2, 1)):
            for number in range(count):
                name = f"{part}/Fruit/{finer}/{number}.jpg"
                picture(root / name, number, (90 + finer, 70))
                lines.append(f"{name}, {finer}, {label}")
        (root / f"{part}.txt").write_text("\n".join(lines) + "\n")
    data = two_levels("grocery", tmp_path)
    assert (data.train_images.shape, len(data.test_images)) == ((60, 96, 96, 3), 6)
    assert data.finer_names == ("00/00", "00/01", "01/02")
    assert np.bincount(data.train_labels).tolist() == [40, 20]
    for number in ("apple", "²", "-1", "1" * 5000):
        (root / "val.txt").write_text(f"val/Fruit/0/0.jpg, {number}, 0\n", "utf-8")
        with pytest.raises(FormatError, match=r"val.txt, line 1: expected path, finer id, class"):
            two_levels("grocery", tmp_path)
    (root / "val.txt").write_text("val/Frucht/Äpfel/0.jpg, 0, 0\n", "latin-1")
    with pytest.raises(FormatError, match=r"val.txt: expected text in UTF-8"):
        two_levels("grocery", tmp_path)
    (root / "val.txt").unlink()
    with pytest.raises(FormatError, match=r"expected val.txt in it"):
        two_levels("grocery", tmp_path)


def test_what_is_no_such_data_set_is_refused(tmp_path):
    with pytest.raises(
        ParameterError, match=r"name: expected one of cifar10-nouns, .* got 'imagenet'"
    ):
        two_levels("imagenet", tmp_path)
    nested(tmp_path, train=1, test=0)
    with pytest.raises(FormatError, match="no images in test/"):
        two_levels("two-levels", tmp_path)
    picture(tmp_path / "test" / "eel" / "big" / "0.png")
    with pytest.raises(FormatError, match="class 'eel' has test images and none to train on"):
        two_levels("two-levels", tmp_path)
    (tmp_path / "test" / "eel" / "big" / "0.png").unlink()
    picture(tmp_path / "test" / "cat" / "big" / "0.png", 0, (9, 8))
    with pytest.raises(ImageError, match="images of several sizes need size="):
        two_levels("two-levels", tmp_path)
    assert two_levels("two-levels", tmp_path, size=(8, 8)).test_images.shape == (1, 8, 8, 3)
    (tmp_path / "test" / "cat" / "big" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(ImageError):
        two_levels("two-levels", tmp_path, size=(8, 8))
