"""Named evaluation protocols: which images are database, queries and training set.

A figure means something only with its split, depth, denominator and tie rule.
A :class:`Protocol` holds all four; print its name beside every number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ParameterError, ShapeError
from .metrics import Denominator
from .splits import Rows, Select, Split, held_out, label_poor, official, two_axis, unseen

if TYPE_CHECKING:
    from ..datasets import Dataset


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
    select: Select
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
        rows = self.rows(dataset, seed)
        images = rows.take(dataset.train_images, dataset.test_images)
        labels = rows.take_labels(dataset.train_labels, dataset.test_labels)
        return Split(
            database_images=images[0],
            database_labels=labels[0],
            query_images=images[1],
            query_labels=labels[1],
            train_images=images[2],
            train_labels=labels[2],
            class_names=dataset.class_names,
        )

    def rows(self, dataset: Dataset, seed: int = 0) -> Rows:
        """Select rows, of whatever stands for the images; otherwise as :meth:`split`."""
        self._check(dataset)
        return self.select(dataset, seed)

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


_AT_10 = (Measure(10, "hits"), Measure(10, "min"))
_ALL = (Measure(None, "relevant"),)
_LEAK = "training images in the database inflate mAP@all"


def _two_axes(name: str, dataset: str, queries: int) -> tuple[Protocol, ...]:
    """Return the protocols of a data set that look at both axes: as it is, unseen, held out."""
    measures = _AT_10 + _ALL
    finer = "finer labels within the classes, where there are any, are seen by nothing but scores"
    second = "and beside them, as a database that is not trained on, the test images left over"
    return (
        Protocol(
            name=name,
            dataset=dataset,
            sizes=None,
            database=f"the training images; {second}",
            queries=f"{queries:,} test images, or half of them, drawn once",
            training="the training images, with the labels of their classes",
            measures=measures,
            note=finer,
            select=two_axis(official(None, None), queries),
        ),
        Protocol(
            name=f"{name}-unseen",
            dataset=dataset,
            sizes=None,
            database=f"training images of a quarter of the classes, drawn; {second}",
            queries=f"{queries:,} test images of these classes, or half of them",
            training="training images of the other classes",
            measures=measures,
            note=f"classes never seen, other ones with every seed; {finer}",
            select=two_axis(unseen, queries),
            drawn=True,
        ),
        Protocol(
            name=f"{name}-held-out",
            dataset=dataset,
            sizes=None,
            database="nine tenths of the training images, drawn; and, not trained on, half of the "
            "other tenth",
            queries=f"{queries:,} images of the other tenth, or half of it",
            training="the nine tenths",
            measures=measures,
            note=f"for choosing settings: no test image is looked at; {finer}",
            select=two_axis(held_out, queries),
            drawn=True,
        ),
    )


PROTOCOLS = {
    entry.name: entry
    for entry in (
        *_two_axes("cifar10-nouns", "cifar10-nouns", 1000),
        *_two_axes("cifar100-coarse", "cifar100-coarse", 1000),
        *_two_axes("grocery", "grocery", 1000),
        *_two_axes("fmnist-copies", "fashion-mnist", 1000),
        *_two_axes("two-levels", "two-levels", 1000),
        *_two_axes("drawn-shapes", "drawn-shapes", 60),
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
            select=official(6000, 1000),
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
            select=official(None, None),
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
            select=official(None, None),
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
            select=official(None, None),
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
            select=label_poor(train_in_database=True),
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
            select=label_poor(train_in_database=False),
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
            select=label_poor(train_in_database=True, unlabelled=True),
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
            select=official(None, None),
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
            select=held_out,
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
            select=unseen,
            drawn=True,
        ),
    )
}
