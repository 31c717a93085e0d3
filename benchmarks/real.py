"""Codes of real images: random projections, ITQ and learned codes, kept in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hashret.datasets import cifar10

from . import data
from .data import Searched
from .sizes import SIZES

# The archive or folder of CIFAR-10's JPEG files; None: its codes are left out.
CIFAR10: Path | None = None
# What a network learns from here is in the codes after a minute.
EPOCHS, TRAINED = 3, 10_000


def sets(
    size: int, queries: int = 500, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[tuple[str, Searched]]:
    """All sets that are wanted by their names; those of CIFAR-10 only if its place is known."""
    for name, draw in SETS.items():
        if wanted(name) and (CIFAR10 is not None or not name.startswith("CIFAR-10")):
            yield name, draw(size, queries)


def lsh(tables: int, bits: int, size: int, queries: int) -> Searched:
    """Random projections of HOG features of Fashion-MNIST."""
    codes = data.fashion_mnist_codes(bits, tables, size >= SIZES["medium"], queries)
    return Searched(codes.codes, codes.queries, codes.bits)


def dsh(bits: int, size: int, queries: int) -> Searched:
    """Codes of a small network that learned Fashion-MNIST for a few epochs with DSH."""
    images = data.images(whole=size >= SIZES["medium"])

    def make() -> tuple[data.Codes, data.Codes]:
        from hashret.deep import DeepHasher

        hasher = DeepHasher(
            "small-cnn", "dsh", bits, epochs=EPOCHS, device="cpu", random_state=0, progress=None
        ).fit(images.train_images[:TRAINED], images.train_labels[:TRAINED])
        return hasher.transform(images.train_images), hasher.transform(images.test_images)

    return _kept(f"{images.name}-dsh-{bits}-{TRAINED}-images-{EPOCHS}-epochs", bits, queries, make)


def itq(bits: int, size: int, queries: int) -> Searched:
    """HOG features of CIFAR-10, turned by ITQ; always of the whole set."""

    def make() -> tuple[data.Codes, data.Codes]:
        from hashret.encoders import ITQ

        images = cifar10(CIFAR10)
        features = data.features(images.train_images)
        encoder = ITQ(bits, random_state=0).fit(features)
        return encoder.transform(features), encoder.transform(data.features(images.test_images))

    return _kept(f"cifar10-hog-itq-{bits}", bits, queries, make)


def fashion_itq(bits: int, size: int, queries: int) -> Searched:
    """HOG features of Fashion-MNIST, turned by ITQ."""
    images = data.images(whole=size >= SIZES["medium"])

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


SETS: dict[str, Callable[[int, int], Searched]] = {
    "Fashion-MNIST, HOG + LSH, 64 bits": partial(lsh, 8, 8),
    "Fashion-MNIST, HOG + LSH, 256 bits": partial(lsh, 16, 16),
    "Fashion-MNIST, DSH, 16 bits": partial(dsh, 16),
    "Fashion-MNIST, DSH, 48 bits": partial(dsh, 48),
    "CIFAR-10, HOG + ITQ, 32 bits": partial(itq, 32),
    "CIFAR-10, HOG + ITQ, 64 bits": partial(itq, 64),
}
"""Codes by name, of the size of a run and a number of queries: of all of Fashion-MNIST from
"medium" on, else of its sample."""
