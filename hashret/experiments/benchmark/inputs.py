"""What methods are given: a data set's images, or a feature vector of each, kept in files."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...datasets import (
    TWO_LEVELS,
    Dataset,
    cifar10,
    fashion_mnist,
    fashion_mnist_sample,
    two_levels,
)
from ...errors import CodeError, DTypeError, FormatError, ParameterError, ShapeError
from ...evaluation.protocols import protocol
from ...evaluation.splits import take
from ...files import replacing
from ...types import Images
from ..given import read_array
from ..scoring import Labels
from ..steps import Advance, Steps
from .drawn import drawn_shapes

__all__ = ["FEATURES", "Inputs", "Source", "check_features"]

Vectors = npt.NDArray[np.float32]


def _hog(images: Images, advance: Advance) -> Vectors:
    from ...features import hog

    return hog(images, progress=advance)


def _lite0(images: Images, advance: Advance) -> Vectors:
    from ...features import pretrained

    return pretrained.pretrained(images, progress=advance)


FEATURES: dict[str, Callable[[Images, Advance], Vectors]] = {"hog": _hog, "lite0": _lite0}


def check_features(name: str) -> str:
    """Return the name of features: one of :data:`FEATURES`, or an ``.npz`` file of vectors."""
    if name not in FEATURES and not name.endswith(".npz"):
        raise ParameterError(
            f"features: expected one of {', '.join(FEATURES)}, or an .npz file, got {name!r}"
        )
    return name


@dataclass(frozen=True)
class Inputs:
    """A protocol's images, or a feature vector of each, with labels as a ``Split`` has them."""

    train: npt.NDArray[Any]
    train_labels: Labels
    database: npt.NDArray[Any]
    database_labels: Labels
    queries: npt.NDArray[Any]
    query_labels: Labels
    class_names: tuple[str, ...]


@dataclass
class Source:
    """A data set, and its feature vectors, read or computed when first needed.

    Attributes
    ----------
    name : str
        "fashion-mnist", "fashion-mnist-sample", "cifar10", "drawn-shapes", or one of
        :data:`hashret.datasets.TWO_LEVELS`.
    steps : Steps
        Where to report.
    cache : Path, optional
        Folder for what takes long to compute; nothing is kept without.
    data : path, optional
        Where the data set is.
    download : bool
        Whether it may be fetched, if it is nowhere and there is a way.
    ceilings : dict
        What real vectors score within classes, by protocol and seed, once it is known.
    """

    name: str
    steps: Steps
    cache: Path | None = None
    data: str | Path | None = None
    download: bool = False
    ceilings: dict[Any, dict[str, float | None]] = field(default_factory=dict, init=False)
    _vectors: dict[str, Vectors] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def images(self) -> Dataset:
        """The images."""
        with self.steps.step(f"Reading {self.name}") as advance:
            if self.name == "cifar10":
                return cifar10(self.data, advance)
            if self.name == "fashion-mnist":
                return fashion_mnist(self.data, self.download, advance)
            if self.name == "drawn-shapes":
                return drawn_shapes()
            if self.name in TWO_LEVELS:
                return two_levels(self.name, self.data, advance)
            return fashion_mnist_sample()

    def inputs(self, protocol_name: str, seed: int, features: str | None = None) -> Inputs:
        """Return a protocol's images, or their feature vectors."""
        rows = protocol(protocol_name).rows(self.images, seed)
        items = (self.images.train_images, self.images.test_images)
        database, queries, train = rows.take(*(items if features is None else self._of(features)))
        labels = rows.take_labels(self.images.train_labels, self.images.test_labels)
        return Inputs(
            train=train,
            train_labels=labels[2],
            database=database,
            database_labels=labels[0],
            queries=queries,
            query_labels=labels[1],
            class_names=self.images.class_names,
        )

    @cached_property
    def labels(self) -> Labels:
        """Labels of training and test images."""
        return np.concatenate([self.images.train_labels, self.images.test_labels])

    @cached_property
    def finer(self) -> Labels | None:
        """Labels within the classes, -1 where one is missing; None without a second level."""
        train, test = self.images.train_finer, self.images.test_finer
        return None if train is None or test is None else np.concatenate([train, test])

    @property
    def ceiling(self) -> str:
        """The features whose exact neighbours within classes are the scale for codes."""
        return "lite0" if self.images.train_images.ndim == 4 else "hog"

    def items(self, rows: npt.NDArray[np.int64], features: str | None = None) -> npt.NDArray[Any]:
        """Return images, or their feature vectors, by row of training then test images."""
        images = (self.images.train_images, self.images.test_images)
        parts = images if features is None else self._of(features)
        return take(parts[0], parts[1], rows)

    def described(self, images: Images, features: str | None) -> npt.NDArray[Any]:
        """Return other images than the data set's as they are, or their feature vectors."""
        if features is None:
            return images
        if features.endswith(".npz"):
            raise ParameterError(
                f"features: {features} has vectors of the data set's images alone, and copies of "
                "them are asked for"
            )
        return self._kept(features, images, "copies")

    def described_once(self, images: Images, features: str | None) -> npt.NDArray[Any]:
        """Likewise, of images that are not looked at again: nothing is kept."""
        if features is None or features.endswith(".npz"):
            return self.described(images, features)
        return FEATURES[features](images, lambda done, total, words="": None)

    def file(self, *parts: str) -> Path | None:
        """Return a path in the cache, its folder made."""
        if self.cache is None:
            return None
        path = self.cache.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _of(self, features: str) -> tuple[Vectors, Vectors]:
        """Return the feature vectors of training and test images."""
        if features not in self._vectors:
            make = self._from_file if features.endswith(".npz") else self._computed
            self._vectors[features] = make(features)
        vectors, count = self._vectors[features], len(self.images.train_images)
        return vectors[:count], vectors[count:]

    def _computed(self, features: str) -> Vectors:
        images = np.concatenate([self.images.train_images, self.images.test_images])
        return self._kept(features, images)

    def _kept(self, features: str, images: Images, *words: str) -> Vectors:
        """Return feature vectors from the cache, or compute them and put them there."""
        # Other images under the same name, such as a re-encoded edition, have other vectors.
        name = "-".join([self.name, *words, features, f"{zlib.crc32(images.data):08x}"])
        path = self.file(f"{name}.npy")
        if path and path.exists():
            vectors = read_array(path, "vectors")
            if vectors.ndim != 2 or len(vectors) != len(images) or vectors.dtype != np.float32:
                raise FormatError(f"{path}: expected float32 ({len(images)}, d); remove it")
            return vectors
        with self.steps.step(" ".join(["Features", features, "of", self.name, *words])) as advance:
            vectors = FEATURES[features](images, advance)
        if path:
            with replacing(path) as file:
                np.save(file, vectors)
        return vectors

    def _from_file(self, path: str) -> Vectors:
        parts = [read_array(path, name) for name in ("train", "test")]
        images = (self.images.train_images, self.images.test_images)
        for part, of, name in zip(parts, images, ("train", "test"), strict=True):
            if part.ndim != 2 or len(part) != len(of):
                raise ShapeError(f"{path}: {name}: expected ({len(of)}, d), got {part.shape}")
            if part.dtype.kind not in "iuf":
                raise DTypeError(f"{path}: {name}: expected real numbers, got {part.dtype}")
            if not np.isfinite(part).all():
                raise CodeError(f"{path}: {name}: NaN or infinity")
        if parts[0].shape[1] != parts[1].shape[1]:
            raise ShapeError(f"{path}: train and test have {parts[0].shape[1]} and other columns")
        return np.concatenate(parts).astype(np.float32)
