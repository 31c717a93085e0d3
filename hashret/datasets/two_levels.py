"""Images with labels of two levels: classes, which training may see, and finer ones within them.

A folder is laid out in one of these ways, by the name of the data set:

``cifar10-nouns``
    ``train|test/<class>/*.jpg``, and ``nouns.csv`` (or ``cifar10-nouns.csv`` beside the folder)
    with the columns ``file`` and ``noun``, the file's path ending in those three parts.
``cifar100-coarse``
    ``train|test/<class>/<finer>/*.jpg``.
``grocery``
    As the Grocery Store data set is published: ``train.txt``, ``val.txt`` and ``test.txt`` with
    lines ``path, finer id, class id``, the images, and ``classes.csv``.
``two-levels``
    Any other: as ``cifar100-coarse``, with pictures of any format.

The nouns of CIFAR-10 are those under which its images were collected. Synonyms are merged and
nouns that name the whole class, or cut across it, are left out, by the table
``hashret/data/cifar10-synonyms.csv``.
"""

from __future__ import annotations

import csv
import importlib.resources
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import FormatError, ParameterError
from .base import DATA_VARIABLE, Dataset, Labels, Progress, not_found, search_folders
from .decoding import Size, read_image
from .stacking import read_images

__all__ = ["TWO_LEVELS", "two_levels"]

# Of a finer label in the whole data set: of fewer no average precision says much.
LEAST_IMAGES = 20
_SYNONYMS = "data/cifar10-synonyms.csv"
_NUMBER = re.compile(r"[0-9]{1,9}")
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True)
class _File:
    path: Path
    test: bool
    label: str
    finer: str


@dataclass(frozen=True)
class _Layout:
    """How a data set lies in a folder: names to look under, how to list it, and its size."""

    names: tuple[str, ...]
    files: Callable[[Path], list[_File]]
    size: Size | None


def two_levels(
    name: str,
    path: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    size: Size | None = None,
) -> Dataset:
    """Load a data set of two levels of labels from a folder.

    Parameters
    ----------
    name : str
        One of :data:`TWO_LEVELS`; the module's description says how each is laid out.
    path : path-like, optional
        The folder, or one that holds it under the data set's name. Default: ``$HASHRET_DATA``.
    progress : callable, optional
        Called as ``progress(images_done, images_total)``.
    size : (height, width), optional
        Resize to this; needed where images have several sizes. Grocery's are made 96x96.

    Returns
    -------
    dataset : Dataset
        With `train_finer` and `test_finer`: -1 where an image has no finer label, or one that
        fewer than 20 images have.

    Raises
    ------
    ParameterError
        If there is no such data set.
    DatasetNotFoundError
        If its folder is nowhere.
    FormatError
        If the folder lacks a part, a table is not what it should be, or a class of the test
        images is none of the training images'.
    ImageError
        If an image is damaged, or of another size than the first.
    """
    layout = _layout(name)
    searched = search_folders(path)
    root = _find(searched, layout.names)
    if root is None:
        ways = [
            f"pass path= (or --data), a folder laid out as hashret.datasets.two_levels says of "
            f"{name}",
            f"set {DATA_VARIABLE} to it or to the folder that holds it as {layout.names[1]}",
        ]
        raise not_found(name, searched, ways)
    files = sorted(layout.files(root), key=lambda file: (file.test, str(file.path)))
    class_names = _classes(files, root)
    fit = size or layout.size
    readers = [(str(file.path), partial(read_image, file.path, fit)) for file in files]
    images, _, _ = read_images(readers, "raise", progress)
    finer_names = _finer_names(files)
    labels = _numbered([file.label for file in files], class_names)
    finer = _numbered([f"{file.label}/{file.finer}" for file in files], finer_names)
    start = sum(not file.test for file in files)
    return Dataset(
        name,
        images[:start],
        labels[:start],
        images[start:],
        labels[start:],
        class_names,
        str(root),
        finer[:start],
        finer[start:],
        finer_names,
    )


def _layout(name: str) -> _Layout:
    if name not in TWO_LEVELS:
        raise ParameterError(f"name: expected one of {', '.join(TWO_LEVELS)}, got {name!r}")
    return TWO_LEVELS[name]


def _find(searched: Sequence[Path], names: Sequence[str]) -> Path | None:
    places = (root / name for root in searched for name in names)
    return next((place for place in places if (place / "train").is_dir()), None)


def _classes(files: Sequence[_File], root: Path) -> tuple[str, ...]:
    parts = [{file.label for file in files if file.test is test} for test in (False, True)]
    if not all(parts):
        raise FormatError(f"{root}: no images in {'test' if parts[0] else 'train'}/")
    if unknown := parts[1] - parts[0]:
        raise FormatError(f"{root}: class {min(unknown)!r} has test images and none to train on")
    return tuple(sorted(parts[0]))


def _finer_names(files: Sequence[_File]) -> tuple[str, ...]:
    counts = Counter(f"{file.label}/{file.finer}" for file in files if file.finer)
    return tuple(sorted(name for name, count in counts.items() if count >= LEAST_IMAGES))


def _numbered(found: Sequence[str], names: Sequence[str]) -> Labels:
    """Return the positions of names, -1 for one that is not among them."""
    positions = {name: position for position, name in enumerate(names)}
    return np.array([positions.get(name, -1) for name in found], np.int64)


def _nested(root: Path) -> list[_File]:
    return [
        _File(path, part == "test", path.parts[-3], path.parts[-2])
        for part in ("train", "test")
        for path in (root / part).glob("*/*/*")
        if path.suffix.lower() in _SUFFIXES
    ]


def _cifar10(root: Path) -> list[_File]:
    nouns, synonyms = _nouns(root), _synonyms()
    files = []
    for path in root.glob("t*/*/*.jpg"):
        part, label, name = path.parts[-3:]
        key = f"{part}/{label}/{name}"
        if key not in nouns:
            raise FormatError(f"{root}: the table of nouns has no line for {key}")
        noun = nouns[key]
        files.append(_File(path, part == "test", label, synonyms.get((label, noun), noun)))
    return files


def _nouns(root: Path) -> dict[str, str]:
    places = [root / "nouns.csv", *(up / "cifar10-nouns.csv" for up in (root, *root.parents[:2]))]
    table = next((place for place in places if place.is_file()), None)
    if table is None:
        raise FormatError(f"{root}: expected nouns.csv in it, or cifar10-nouns.csv beside it")
    rows = _table(table, ("file", "noun"))
    return {"/".join(PurePosixPath(row["file"]).parts[-3:]): row["noun"] for row in rows}


def _synonyms() -> dict[tuple[str, str], str]:
    """Return what nouns of classes are merged to, "" for one that is no finer label."""
    with importlib.resources.as_file(importlib.resources.files("hashret") / _SYNONYMS) as path:
        rows = _table(path, ("class", "noun", "merged"))
    return {(row["class"], row["noun"]): row["merged"] for row in rows}


def _table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(_text(path), newline=""))
    try:
        if not set(columns) <= set(reader.fieldnames or ()):
            raise FormatError(
                f"{path}: expected the columns {', '.join(columns)}, got {reader.fieldnames}"
            )
        rows = list(reader)
    except csv.Error as error:
        raise FormatError(f"{path}, after line {reader.line_num}: {error}") from None
    for number, row in enumerate(rows, start=2):
        if any(row[column] is None for column in columns):
            raise FormatError(f"{path}, line {number}: expected {len(columns)} fields")
    return rows


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: expected text in UTF-8: {error}") from None


def _grocery(root: Path) -> list[_File]:
    return [file for part in ("train", "val", "test") for file in _listed(root, part)]


def _listed(root: Path, part: str) -> list[_File]:
    """Read a list of the Grocery Store data set; its validation images are training images."""
    path = root / f"{part}.txt"
    if not path.is_file():
        raise FormatError(f"{root}: expected {part}.txt in it")
    files = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 3 or not all(map(_NUMBER.fullmatch, fields[1:])):
            raise FormatError(f"{path}, line {number}: expected path, finer id, class id")
        name, finer, label = fields
        files.append(_File(root / name, part == "test", f"{int(label):02}", f"{int(finer):02}"))
    return files


TWO_LEVELS: dict[str, _Layout] = {
    "cifar10-nouns": _Layout((".", "cifar10", "cifar10-jpeg/cifar10"), _cifar10, (32, 32)),
    "cifar100-coarse": _Layout((".", "cifar100", "cifar100-jpeg/cifar100"), _nested, (32, 32)),
    "grocery": _Layout((".", "grocery", "grocery/grocery"), _grocery, (96, 96)),
    "two-levels": _Layout((".", "two-levels"), _nested, None),
}
"""The data sets by name."""
