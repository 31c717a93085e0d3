"""What a benchmark's runs share: a data set's images, and feature vectors kept in files."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..datasets import Dataset, cifar10, fashion_mnist, fashion_mnist_sample
from ..errors import CodeError, DTypeError, FormatError, ParameterError, ShapeError
from ..evaluation.protocols import Split, protocol
from ..files import replacing
from .steps import Advance, Steps

__all__ = ["FEATURES", "Material", "check_features"]

Vectors = npt.NDArray[np.float32]


def _hog(images: npt.NDArray[np.uint8], advance: Advance) -> Vectors:
    from ..features import hog

    return hog(images, progress=lambda done, total: advance(done, total, ""))


def _lite0(images: npt.NDArray[np.uint8], advance: Advance) -> Vectors:
    from ..features import pretrained

    return pretrained.pretrained(images, progress=lambda done, total: advance(done, total, ""))


FEATURES: dict[str, Callable[[npt.NDArray[np.uint8], Advance], Vectors]] = {
    "hog": _hog,
    "lite0": _lite0,
}


def check_features(name: str) -> str:
    """Return the name of features: one of :data:`FEATURES`, or an ``.npz`` file of vectors."""
    if name not in FEATURES and not name.endswith(".npz"):
        raise ParameterError(
            f"features: expected one of {', '.join(FEATURES)}, or an .npz file, got {name!r}"
        )
    return name


class Material:
    """A data set, and its feature vectors, read or computed when first needed.

    Parameters
    ----------
    name : str
        "fashion-mnist", "fashion-mnist-sample" or "cifar10".
    data : path, optional
        Where the data set is.
    cache : Path
        Folder for what takes long to compute.
    steps : Steps
        Where to report.
    """

    def __init__(self, name: str, data: str | Path | None, cache: Path, steps: Steps) -> None:
        self.name, self.data, self.cache, self.steps = name, data, cache, steps
        self._vectors: dict[str, Dataset] = {}

    @cached_property
    def images(self) -> Dataset:
        """The images."""
        with self.steps.step(f"Reading {self.name}") as advance:
            if self.name == "cifar10":
                return cifar10(self.data, lambda done, total: advance(done, total, ""))
            if self.name == "fashion-mnist":
                return fashion_mnist(self.data)
            return fashion_mnist_sample()

    def vectors(self, features: str) -> Dataset:
        """Return the data set with a feature vector in place of each image."""
        if features not in self._vectors:
            make = self._from_file if features.endswith(".npz") else self._computed
            vectors, count = make(features), len(self.images.train_images)
            parts: Any = {"train_images": vectors[:count], "test_images": vectors[count:]}
            self._vectors[features] = replace(self.images, **parts)
        return self._vectors[features]

    def split(self, name: str, seed: int, features: str | None) -> Split:
        """Return a protocol's split of the images, or of their feature vectors."""
        dataset = self.images if features is None else self.vectors(features)
        return protocol(name).split(dataset, seed)

    def _computed(self, features: str) -> Vectors:
        images = np.concatenate([self.images.train_images, self.images.test_images])
        # Other images under the same name, such as a re-encoded edition, have other vectors.
        path = self.cache / f"{self.name}-{features}-{zlib.crc32(images.data):08x}.npy"
        if path.exists():
            return _load(path, len(images))
        with self.steps.step(f"Features {features} of {self.name}") as advance:
            vectors = FEATURES[features](images, advance)
        _save(path, vectors)
        return vectors

    def _from_file(self, path: str) -> Vectors:
        try:
            with np.load(path, allow_pickle=False) as file:
                parts = [np.asarray(file["train"]), np.asarray(file["test"])]
        except (KeyError, ValueError, EOFError, AttributeError, TypeError) as error:
            raise FormatError(f"{path}: expected .npz with train and test: {error}") from error
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


def _load(path: Path, count: int) -> Vectors:
    try:
        vectors = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FormatError(f"{path}: damaged; remove it: {error}") from error
    if vectors.ndim != 2 or len(vectors) != count or vectors.dtype != np.float32:
        raise FormatError(f"{path}: expected float32 ({count}, d); remove it")
    return np.asarray(vectors)


def _save(path: Path, vectors: Vectors) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        np.save(file, vectors)
