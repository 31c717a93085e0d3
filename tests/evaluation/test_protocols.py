"""Splits against what their descriptions say, on images that carry their own row number."""

from __future__ import annotations

import numpy as np
import pytest

from hashret.datasets import Dataset, fashion_mnist_sample
from hashret.errors import ParameterError, ShapeError
from hashret.evaluation import PROTOCOLS, protocol

NAMES = ("fashion-mnist", "cifar10")


def numbered(name: str, train: int, test: int, classes: int = 10) -> Dataset:
    """A data set whose image i of all is the four bytes of the number i."""
    images = np.arange(train + test, dtype="<u4").view(np.uint8).reshape(-1, 2, 2)
    labels = np.random.default_rng(1).permutation(np.arange(train + test) % classes)
    names = tuple(str(label) for label in range(classes))
    return Dataset(name, images[:train], labels[:train], images[train:], labels[train:], names, "")


def numbers(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(images).reshape(len(images), 4).view("<u4").ravel()


@pytest.fixture(scope="module")
def fashion() -> Dataset:
    return numbered("fashion-mnist", 60_000, 10_000)


@pytest.fixture(scope="module")
def cifar() -> Dataset:
    return numbered("cifar10", 50_000, 10_000)


@pytest.mark.parametrize(
    ("name", "database", "queries"), [("fmnist-seed", 6000, 1000), ("fmnist-full", 60_000, 10_000)]
)
def test_fashion_mnist_splits(fashion: Dataset, name: str, database: int, queries: int) -> None:
    split = protocol(name).split(fashion)
    np.testing.assert_array_equal(numbers(split.database_images), np.arange(database))
    np.testing.assert_array_equal(numbers(split.query_images), 60_000 + np.arange(queries))
    np.testing.assert_array_equal(numbers(split.train_images), np.arange(database))
    np.testing.assert_array_equal(split.query_labels, fashion.test_labels[:queries])
    np.testing.assert_array_equal(split.train_labels, fashion.train_labels[:database])


@pytest.mark.parametrize("name", ["cifar10-full", "cifar10-unsup"])
def test_cifar10_official_splits(cifar: Dataset, name: str) -> None:
    split = protocol(name).split(cifar)
    np.testing.assert_array_equal(numbers(split.database_images), np.arange(50_000))
    np.testing.assert_array_equal(numbers(split.query_images), 50_000 + np.arange(10_000))
    assert protocol(name).labels_in_training == (name == "cifar10-full")


@pytest.mark.parametrize(("name", "size"), [("cifar10-59k", 59_000), ("cifar10-54k", 54_000)])
def test_cifar10_label_poor_splits(cifar: Dataset, name: str, size: int) -> None:
    split = protocol(name).split(cifar, seed=3)
    database, queries, train = (
        set(numbers(images).tolist())
        for images in (split.database_images, split.query_images, split.train_images)
    )
    assert (len(database), len(queries), len(train)) == (size, 1000, 5000)
    assert not database & queries
    assert not train & queries
    assert len(database & train) == (5000 if size == 59_000 else 0)
    assert np.bincount(split.query_labels).tolist() == [100] * 10
    assert np.bincount(split.train_labels).tolist() == [500] * 10
    every_label = np.concatenate([cifar.train_labels, cifar.test_labels])
    for part in ("database", "query", "train"):
        rows = numbers(getattr(split, f"{part}_images"))
        np.testing.assert_array_equal(getattr(split, f"{part}_labels"), every_label[rows])


def test_draws_follow_the_seed(cifar: Dataset) -> None:
    first, again, other = (protocol("cifar10-59k").split(cifar, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.query_images, again.query_images)
    assert (numbers(first.query_images) != numbers(other.query_images)).any()


@pytest.mark.parametrize("classes", [4, 10, 100])
def test_unseen_classes_are_not_trained_on(classes: int) -> None:
    data = numbered("any", 8000, 2000, classes)
    split = protocol("unseen").split(data, seed=2)
    unseen, seen = set(split.database_labels), set(split.train_labels)
    assert len(unseen) == max(2, round(classes / 4))
    assert unseen | seen == set(range(classes))
    assert not unseen & seen
    assert set(split.query_labels) == unseen
    assert numbers(split.query_images).min() >= 8000
    assert len(split.database_labels) + len(split.train_labels) == 8000


def test_held_out_queries_are_training_images_that_do_not_train() -> None:
    data = numbered("any", 8000, 2000)
    split = protocol("held-out").split(data, seed=1)
    queries, database = numbers(split.query_images), numbers(split.database_images)
    assert len(queries) == 800
    assert sorted([*queries, *database]) == list(range(8000))
    np.testing.assert_array_equal(numbers(split.train_images), database)
    np.testing.assert_array_equal(split.query_labels, data.train_labels[queries])


def test_the_sample_has_a_protocol() -> None:
    split = protocol("fmnist-sample").split(fashion_mnist_sample())
    assert (len(split.database_labels), len(split.query_labels)) == (3000, 1000)


def test_a_protocol_refuses_other_data(fashion: Dataset) -> None:
    with pytest.raises(ParameterError, match="cifar10"):
        protocol("cifar10-full").split(fashion)
    with pytest.raises(ShapeError, match="60000 training"):
        protocol("fmnist-seed").split(numbered("fashion-mnist", 6000, 1000))
    with pytest.raises(ShapeError, match="4 classes"):
        protocol("unseen").split(numbered("any", 9, 3, classes=3))
    with pytest.raises(ShapeError, match="10 training images, got 9"):
        protocol("held-out").split(numbered("any", 9, 3))
    with pytest.raises(ParameterError, match="fmnist-full"):
        protocol("fmnist")


def test_every_protocol_says_what_its_figures_mean() -> None:
    for name, entry in PROTOCOLS.items():
        assert entry.name == name
        assert entry.measures
        assert all((entry.database, entry.queries, entry.training, entry.note, entry.tie_rule))
    names = [measure.name for measure in protocol("fmnist-full").measures]
    assert names == ["mAP@10 (hits)", "mAP@10 (min)", "mAP@all"]


def test_semi_supervised_split_hides_labels_only(cifar: Dataset) -> None:
    split, poor = (protocol(name).split(cifar, seed=3) for name in ("cifar10-semi", "cifar10-59k"))
    np.testing.assert_array_equal(numbers(split.train_images), numbers(split.database_images))
    np.testing.assert_array_equal(numbers(split.query_images), numbers(poor.query_images))
    seen = split.train_labels >= 0
    np.testing.assert_array_equal(numbers(split.train_images[seen]), numbers(poor.train_images))
    np.testing.assert_array_equal(split.train_labels[seen], poor.train_labels)
    assert set(split.train_labels[~seen]) == {-1}
    assert split.database_labels.min() == 0
