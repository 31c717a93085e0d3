"""Codes of real images: random projections, ITQ and learned codes, kept in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hashret.datasets import Dataset, cifar10

from . import data
from .data import Searched
from .sizes import SIZES

# The archive or folder of CIFAR-10's JPEG files; None: its codes are left out.
CIFAR10: Path | None = None
# What a network learns from here is in the codes after a minute.
EPOCHS, TRAINED = 3, 10_000


def sets(size: int, queries: int = 500) -> Iterator[tuple[str, Searched]]:
    """Codes of images by name: of whole data sets from "medium" on, else of the sample.

    Parameters
    ----------
    size : int
        The size of the run.
    queries : int
        How many test images to take.
    """
    whole = size >= SIZES["medium"]
    for bits, tables in ((8, 8), (16, 16)):
        codes = data.fashion_mnist_codes(bits, tables, whole, queries)
        yield f"{codes.source}, HOG + LSH", Searched(codes.codes, codes.queries, codes.bits)
    images = data.images(whole)
    for bits in (16, 48):
        yield f"{images.name}, DSH", dsh(images, bits, queries)
    if CIFAR10 is not None:
        images = cifar10(CIFAR10)
        for bits in (32, 64):
            yield f"{images.name}, HOG + ITQ", itq(images, bits, queries)


def dsh(images: Dataset, bits: int, queries: int) -> Searched:
    """Codes of a small network that learned for a few epochs with DSH."""

    def make() -> tuple[data.Codes, data.Codes]:
        from hashret.deep import DeepHasher

        hasher = DeepHasher(
            "small-cnn", "dsh", bits, epochs=EPOCHS, device="cpu", random_state=0, progress=None
        ).fit(images.train_images[:TRAINED], images.train_labels[:TRAINED])
        return hasher.transform(images.train_images), hasher.transform(images.test_images)

    return _kept(f"{images.name}-dsh-{bits}-{TRAINED}-images-{EPOCHS}-epochs", bits, queries, make)


def itq(images: Dataset, bits: int, queries: int) -> Searched:
    """Codes of HOG features turned by ITQ."""

    def make() -> tuple[data.Codes, data.Codes]:
        from hashret.encoders import ITQ

        features = data.features(images.train_images)
        encoder = ITQ(bits, random_state=0).fit(features)
        return encoder.transform(features), encoder.transform(data.features(images.test_images))

    return _kept(f"{images.name}-hog-itq-{bits}", bits, queries, make)


def _kept(name: str, bits: int, queries: int, make: Callable[[], tuple[Any, Any]]) -> Searched:
    """Codes and queries from a file, or made and kept there."""
    path = data.CACHE / f"{name}.npz"
    if not path.exists():
        codes, asked = make()
        # Some data sets are sorted by class.
        asked = np.random.default_rng(0).permutation(asked)
        data.CACHE.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, codes=codes, queries=asked)
        part.replace(path)
    with np.load(path) as known:
        return Searched(known["codes"], known["queries"][:queries], bits)
