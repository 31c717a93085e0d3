"""Splits of a data set into database, queries and training set: rows, drawn or given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError
from ..types import Images

if TYPE_CHECKING:
    from ..datasets import Dataset

__all__ = [
    "Rows",
    "Select",
    "Split",
    "held_out",
    "label_poor",
    "official",
    "take",
    "two_axis",
    "unseen",
]

RowNumbers = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """The images of a protocol.

    Attributes
    ----------
    database_images, query_images, train_images : ndarray of uint8
    database_labels, query_labels, train_labels : ndarray of int64
        -1 is a label that training may not see.
    class_names : tuple of str
    """

    database_images: Images
    database_labels: Labels
    query_images: Images
    query_labels: Labels
    train_images: Images
    train_labels: Labels
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """Row numbers in the training items followed by the test items.

    Attributes
    ----------
    database, queries, train : ndarray of int64
    labelled : ndarray of int64, optional
        Those of `train` whose labels training may see; None for all.
    others : ndarray of int64, optional
        A second database, of images that are neither trained on nor queries, for protocols that
        tell the two apart.
    """

    database: RowNumbers
    queries: RowNumbers
    train: RowNumbers
    labelled: RowNumbers | None = None
    others: RowNumbers | None = None

    def take(self, first: Any, second: Any) -> tuple[Any, Any, Any]:
        """Return database, queries and training set of the items of both parts."""
        database = take(first, second, self.database)
        # Where all of the database trains, one copy of it is enough.
        shared = self.train is self.database
        train = database if shared else take(first, second, self.train)
        return database, take(first, second, self.queries), train

    def take_labels(self, first: Labels, second: Labels) -> tuple[Labels, Labels, Labels]:
        """Likewise of labels: -1 is one that training may not see."""
        database, queries, train = self.take(first, second)
        if self.labelled is not None:
            train = np.where(np.isin(self.train, self.labelled), train, -1)
        return database, queries, train


Select: TypeAlias = Callable[["Dataset", int], Rows]
"""From a data set and a seed to the rows of a protocol."""


def take(first: npt.NDArray[Any], second: npt.NDArray[Any], rows: RowNumbers) -> npt.NDArray[Any]:
    """Select rows of `first` followed by `second`, without joining them in memory."""
    in_first = rows < len(first)
    chosen = np.empty((len(rows), *first.shape[1:]), first.dtype)
    chosen[in_first] = first[rows[in_first]]
    chosen[~in_first] = second[rows[~in_first] - len(first)]
    return chosen


def official(database: int | None, queries: int | None) -> Select:
    """First `database` training images against the first `queries` test images; None is all."""

    def select(dataset: Dataset, seed: int) -> Rows:
        train = np.arange(len(dataset.train_images))[:database]
        test = len(dataset.train_images) + np.arange(len(dataset.test_images))[:queries]
        return Rows(database=train, queries=test, train=train)

    return select


def label_poor(train_in_database: bool, unlabelled: bool = False) -> Select:
    """100 queries and 500 training images a class, drawn from all images.

    With `unlabelled` the whole database trains, without labels but for those.
    """

    def select(dataset: Dataset, seed: int) -> Rows:
        labels = np.concatenate([dataset.train_labels, dataset.test_labels])
        rng = np.random.default_rng(seed)
        drawn = [
            rng.permutation(np.flatnonzero(labels == label))[:600]
            for label in range(len(dataset.class_names))
        ]
        queries = np.sort(np.concatenate([rows[:100] for rows in drawn]))
        train = np.sort(np.concatenate([rows[100:] for rows in drawn]))
        removed = queries if train_in_database else np.concatenate([queries, train])
        database = np.setdiff1d(np.arange(len(labels)), removed)
        if unlabelled:
            return Rows(database=database, queries=queries, train=database, labelled=train)
        return Rows(database=database, queries=queries, train=train)

    return select


def unseen(dataset: Dataset, seed: int) -> Rows:
    """Draw a quarter of the classes, two at least, that training does not see."""
    classes = len(dataset.class_names)
    held_out = max(2, round(0.25 * classes))
    if classes - held_out < 2:
        raise ShapeError(f"dataset: protocol unseen needs at least 4 classes, got {classes}")
    unseen = np.random.default_rng(seed).permutation(classes)[:held_out]
    in_train = np.isin(dataset.train_labels, unseen)
    in_test = np.isin(dataset.test_labels, unseen)
    return Rows(
        database=np.flatnonzero(in_train),
        queries=len(dataset.train_images) + np.flatnonzero(in_test),
        train=np.flatnonzero(~in_train),
    )


def held_out(dataset: Dataset, seed: int) -> Rows:
    """Draw a tenth of the training images as queries."""
    rows = np.random.default_rng(seed).permutation(len(dataset.train_images))
    tenth = len(rows) // 10
    if not tenth:
        raise ShapeError(f"dataset: protocol held-out needs 10 training images, got {len(rows)}")
    train = np.sort(rows[tenth:])
    return Rows(database=train, queries=np.sort(rows[:tenth]), train=train)


def two_axis(select: Select, queries: int) -> Select:
    """Keep some of a selection's queries; the others are a second database, never trained on.

    At most half of them, the same ones with any seed, so that seeds differ by training alone.
    """

    def chosen(dataset: Dataset, seed: int) -> Rows:
        rows = select(dataset, seed)
        order = np.random.default_rng(0).permutation(rows.queries)
        count = min(queries, len(order) // 2)
        if not count:
            raise ShapeError(f"dataset: two axes need two query images, got {len(order)}")
        return Rows(
            database=rows.database,
            queries=np.sort(order[:count]),
            train=rows.train,
            others=np.sort(order[count:]),
        )

    return chosen
