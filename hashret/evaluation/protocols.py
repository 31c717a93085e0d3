"""Named evaluation protocols: which images are database, queries and training set.

A figure means something only with its split, depth, denominator and tie rule.
A :class:`Protocol` holds all four; print its name beside every number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError, ShapeError
from ..types import Images
from .metrics import Denominator

if TYPE_CHECKING:
    from ..datasets import Dataset

Rows = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int64]
Items = TypeVar("Items", Images, Labels)


@dataclass(frozen=True)
class Measure:
    """Mean average precision at a depth (None: the whole database) with a denominator."""

    k: int | None
    denominator: Denominator

    @property
    def name(self) -> str:
        """How the measure is printed, for example ``mAP@10 (hits)``."""
        return "mAP@all" if self.k is None else f"mAP@{self.k} ({self.denominator})"


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
class _Rows:
    """Row numbers in the training images followed by the test images."""

    database: Rows
    queries: Rows
    train: Rows
    labelled: Rows | None = None
    """Those of `train` whose labels training may see; None for all."""


@dataclass(frozen=True)
class Protocol:
    """A named way to measure retrieval.

    Attributes
    ----------
    name : str
    dataset : str or None
        ``Dataset.name`` it is for; None for any.
    sizes : (int, int) or None
        Training and test images the data set must have: on less, the name would be a lie.
    database, queries, training : str
        What each consists of, in words.
    measures : tuple of Measure
    tie_rule : str
        What happens to items at equal distance.
    labels_in_training : bool
        Whether training may use labels.
    drawn : bool
        Whether the images are drawn at random, by a seed.
    note : str
    """

    name: str
    dataset: str | None
    sizes: tuple[int, int] | None
    database: str
    queries: str
    training: str
    measures: tuple[Measure, ...]
    note: str
    select: Callable[[Dataset, int], _Rows]
    labels_in_training: bool = True
    drawn: bool = False
    tie_rule: str = "expectation over random order, with bounds"

    def split(self, dataset: Dataset, seed: int = 0) -> Split:
        """Select the images.

        Parameters
        ----------
        dataset : Dataset
        seed : int
            Of the random draws, where the protocol has any.

        Raises
        ------
        ParameterError
            If the protocol is for another data set.
        ShapeError
            If the data set does not have all its images.
        """
        self._check(dataset)
        rows = self.select(dataset, seed)
        images = (dataset.train_images, dataset.test_images)
        labels = (dataset.train_labels, dataset.test_labels)
        database = _take(*images, rows.database), _take(*labels, rows.database)
        # Where all of the database trains, one copy of it is enough.
        shared = rows.train is rows.database
        train = database if shared else (_take(*images, rows.train), _take(*labels, rows.train))
        if rows.labelled is not None:
            train = train[0], np.where(np.isin(rows.train, rows.labelled), train[1], -1)
        return Split(
            database_images=database[0],
            database_labels=database[1],
            query_images=_take(*images, rows.queries),
            query_labels=_take(*labels, rows.queries),
            train_images=train[0],
            train_labels=train[1],
            class_names=dataset.class_names,
        )

    def _check(self, dataset: Dataset) -> None:
        if self.dataset is not None and dataset.name != self.dataset:
            raise ParameterError(
                f"dataset: protocol {self.name} is for {self.dataset}, got {dataset.name}"
            )
        sizes = (len(dataset.train_images), len(dataset.test_images))
        if self.sizes is not None and sizes != self.sizes:
            raise ShapeError(
                f"dataset: protocol {self.name} needs {self.sizes[0]} training and "
                f"{self.sizes[1]} test images, got {sizes[0]} and {sizes[1]}"
            )


def protocol(name: str) -> Protocol:
    """Return the protocol of this name.

    Examples
    --------
    >>> [measure.name for measure in protocol("fmnist-seed").measures]
    ['mAP@10 (hits)', 'mAP@10 (min)']
    """
    try:
        return PROTOCOLS[name]
    except KeyError:
        raise ParameterError(
            f"protocol: expected one of {', '.join(PROTOCOLS)}, got {name!r}"
        ) from None


def _take(first: Items, second: Items, rows: Rows) -> Items:
    """Select rows of `first` followed by `second`, without joining them in memory."""
    in_first = rows < len(first)
    chosen = np.empty((len(rows), *first.shape[1:]), first.dtype)
    chosen[in_first] = first[rows[in_first]]
    chosen[~in_first] = second[rows[~in_first] - len(first)]
    return chosen


def _official(database: int | None, queries: int | None) -> Callable[[Dataset, int], _Rows]:
    """First `database` training images against the first `queries` test images; None is all."""

    def select(dataset: Dataset, seed: int) -> _Rows:
        train = np.arange(len(dataset.train_images))[:database]
        test = len(dataset.train_images) + np.arange(len(dataset.test_images))[:queries]
        return _Rows(database=train, queries=test, train=train)

    return select


def _label_poor(
    train_in_database: bool, unlabelled: bool = False
) -> Callable[[Dataset, int], _Rows]:
    """100 queries and 500 training images a class, drawn from all images.

    With `unlabelled` the whole database trains, without labels but for those.
    """

    def select(dataset: Dataset, seed: int) -> _Rows:
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
            return _Rows(database=database, queries=queries, train=database, labelled=train)
        return _Rows(database=database, queries=queries, train=train)

    return select


def _unseen(dataset: Dataset, seed: int) -> _Rows:
    """Draw a quarter of the classes, two at least, that training does not see."""
    classes = len(dataset.class_names)
    held_out = max(2, round(0.25 * classes))
    if classes - held_out < 2:
        raise ShapeError(f"dataset: protocol unseen needs at least 4 classes, got {classes}")
    unseen = np.random.default_rng(seed).permutation(classes)[:held_out]
    in_train = np.isin(dataset.train_labels, unseen)
    in_test = np.isin(dataset.test_labels, unseen)
    return _Rows(
        database=np.flatnonzero(in_train),
        queries=len(dataset.train_images) + np.flatnonzero(in_test),
        train=np.flatnonzero(~in_train),
    )


def _held_out(dataset: Dataset, seed: int) -> _Rows:
    """Draw a tenth of the training images as queries."""
    rows = np.random.default_rng(seed).permutation(len(dataset.train_images))
    tenth = len(rows) // 10
    if not tenth:
        raise ShapeError(f"dataset: protocol held-out needs 10 training images, got {len(rows)}")
    train = np.sort(rows[tenth:])
    return _Rows(database=train, queries=np.sort(rows[:tenth]), train=train)


_AT_10 = (Measure(10, "hits"), Measure(10, "min"))
_ALL = (Measure(None, "relevant"),)
_LEAK = "training images in the database inflate mAP@all"

PROTOCOLS = {
    entry.name: entry
    for entry in (
        Protocol(
            name="fmnist-seed",
            dataset="fashion-mnist",
            sizes=(60_000, 10_000),
            database="the first 6,000 training images",
            queries="the first 1,000 test images",
            training="the database",
            measures=_AT_10,
            note="comparable with the LSH-against-DSH study; also printed with its padding of "
            "short lists by relevant items",
            select=_official(6000, 1000),
        ),
        Protocol(
            name="fmnist-full",
            dataset="fashion-mnist",
            sizes=(60_000, 10_000),
            database="the 60,000 training images",
            queries="the 10,000 test images",
            training="the database",
            measures=_AT_10 + _ALL,
            note=_LEAK,
            select=_official(None, None),
        ),
        Protocol(
            name="fmnist-sample",
            dataset="fashion-mnist-sample",
            sizes=(3000, 1000),
            database="3,000 training images",
            queries="1,000 test images",
            training="the database",
            measures=_AT_10 + _ALL,
            note="the sample in the package, for a first look; not comparable with published "
            "figures",
            select=_official(None, None),
        ),
        Protocol(
            name="cifar10-full",
            dataset="cifar10",
            sizes=(50_000, 10_000),
            database="the 50,000 training images",
            queries="the 10,000 test images",
            training="the database",
            measures=_ALL,
            note=f"the protocol of MIHash and GreedyHash; {_LEAK}; JPEG edition",
            select=_official(None, None),
        ),
        Protocol(
            name="cifar10-59k",
            dataset="cifar10",
            sizes=(50_000, 10_000),
            database="the 59,000 images that are no queries",
            queries="1,000 images, 100 a class, drawn from all",
            training="5,000 images of the database, 500 a class",
            measures=_ALL,
            note=f"the field's usual, poor in labels; {_LEAK}; JPEG edition",
            select=_label_poor(train_in_database=True),
            drawn=True,
        ),
        Protocol(
            name="cifar10-54k",
            dataset="cifar10",
            sizes=(50_000, 10_000),
            database="the 54,000 images that are neither queries nor training images",
            queries="1,000 images, 100 a class, drawn from all",
            training="5,000 other images, 500 a class",
            measures=_ALL,
            note="cifar10-59k without its leak; JPEG edition",
            select=_label_poor(train_in_database=False),
            drawn=True,
        ),
        Protocol(
            name="cifar10-semi",
            dataset="cifar10",
            sizes=(50_000, 10_000),
            database="the 59,000 images that are no queries",
            queries="1,000 images, 100 a class, drawn from all",
            training="the database, with labels of 5,000 images only, 500 a class",
            measures=_ALL,
            note=f"cifar10-59k with the other images to learn from; {_LEAK}; JPEG edition",
            select=_label_poor(train_in_database=True, unlabelled=True),
            drawn=True,
        ),
        Protocol(
            name="cifar10-unsup",
            dataset="cifar10",
            sizes=(50_000, 10_000),
            database="the 50,000 training images",
            queries="the 10,000 test images",
            training="the database, without its labels",
            measures=(Measure(1000, "hits"),),
            note="JPEG edition",
            select=_official(None, None),
            labels_in_training=False,
        ),
        Protocol(
            name="held-out",
            dataset=None,
            sizes=None,
            database="nine tenths of the training images, drawn",
            queries="the other tenth of the training images",
            training="the database",
            measures=_AT_10 + _ALL,
            note="for choosing settings: no test image is looked at",
            select=_held_out,
            drawn=True,
        ),
        Protocol(
            name="unseen",
            dataset=None,
            sizes=None,
            database="training images of a quarter of the classes, drawn",
            queries="test images of these classes",
            training="training images of the other classes",
            measures=_AT_10 + _ALL,
            note="generalisation to classes never seen, two of ten: chance is mAP@all 0.5",
            select=_unseen,
            drawn=True,
        ),
    )
}
