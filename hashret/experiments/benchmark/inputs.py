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

from ...datasets import Dataset, cifar10, fashion_mnist, fashion_mnist_sample
from ...errors import CodeError, DTypeError, FormatError, ParameterError, ShapeError
from ...evaluation.protocols import protocol
from ...files import replacing
from ...types import Images
from ..given import read_array
from ..scoring import Labels
from ..steps import Advance, Steps

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
        "fashion-mnist", "fashion-mnist-sample" or "cifar10".
    steps : Steps
        Where to report.
    cache : Path, optional
        Folder for what takes long to compute; nothing is kept without.
    data : path, optional
        Where the data set is.
    download : bool
        Whether it may be fetched, if it is nowhere and there is a way.
    """

    name: str
    steps: Steps
    cache: Path | None = None
    data: str | Path | None = None
    download: bool = False
    _vectors: dict[str, Vectors] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def images(self) -> Dataset:
        """The images."""
        with self.steps.step(f"Reading {self.name}") as advance:
            if self.name == "cifar10":
                return cifar10(self.data, advance)
            if self.name == "fashion-mnist":
                return fashion_mnist(self.data, self.download, advance)
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
        # Other images under the same name, such as a re-encoded edition, have other vectors.
        path = self.file(f"{self.name}-{features}-{zlib.crc32(images.data):08x}.npy")
        if path and path.exists():
            vectors = read_array(path, "vectors")
            if vectors.ndim != 2 or len(vectors) != len(images) or vectors.dtype != np.float32:
                raise FormatError(f"{path}: expected float32 ({len(images)}, d); remove it")
            return vectors
        with self.steps.step(f"Features {features} of {self.name}") as advance:
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
