"""Codes to search: uniform, clustered, duplicate-heavy, and real ones."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hashret import DatasetNotFoundError
from hashret.datasets import Dataset, fashion_mnist, fashion_mnist_sample

Codes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

CACHE = Path(__file__).parent.parent / ".benchmarks"
# Rows in work at once.
PIECE = 1 << 20


class Searched(NamedTuple):
    """Codes, queries of the same distribution, and their length."""

    codes: Codes
    queries: Codes
    bits: int


class Real(NamedTuple):
    """Codes to cut into tables, with the margins of the queries if there are any."""

    codes: Codes
    queries: Codes
    margins: Floats | None
    bits: int
    tables: int
    source: str


def uniform(n: int, bits: int, queries: int = 100, seed: int = 0) -> Searched:
    """Draw every bit independently."""
    return _split(_random(np.random.default_rng(seed), n + queries, bits), queries, bits)


def clustered(
    n: int, bits: int, queries: int = 100, seed: int = 0, members: int = 1000
) -> Searched:
    """Draw n / members centres, and codes from them, each bit flipped with probability 1/8."""
    rng = np.random.default_rng(seed)
    centres = _random(rng, max(n // members, 1), bits)
    codes = np.empty((n + queries, centres.shape[1]), np.uint8)
    for start in range(0, len(codes), PIECE):
        piece = codes[start : start + PIECE]
        # A bit that is set in three random codes is set with probability 1/8.
        noise = np.bitwise_and.reduce([_random(rng, len(piece), bits) for _ in range(3)])
        np.bitwise_xor(centres[rng.integers(len(centres), size=len(piece))], noise, out=piece)
    return _split(codes, queries, bits)


def duplicates(n: int, bits: int, queries: int = 100, seed: int = 0) -> Searched:
    """Draw from n / 200 values: what codes learned from labels look like."""
    return collapsed(n, max(n // 200, 1), bits, queries, seed)


def collapsed(n: int, values: int, bits: int, queries: int = 100, seed: int = 0) -> Searched:
    """Draw from the given number of values."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(values, size=n + queries)
    return _split(_random(rng, values, bits)[drawn], queries, bits)


SYNTHETIC: dict[str, Callable[..., Searched]] = {
    "uniform": uniform,
    "clustered": clustered,
    "duplicates": duplicates,
}


@functools.cache
def fashion_mnist_codes(bits: int, tables: int, whole: bool = True, queries: int = 500) -> Real:
    """Encode Fashion-MNIST by HOG and random projections; test images are the queries.

    Parameters
    ----------
    bits, tables : int
        A code has ``bits * tables`` bits.
    whole : bool
        All 60,000 training images, if they are installed; else the sample in the package.
    queries : int
        How many test images to take.
    """
    from hashret.encoders import RandomProjectionLSH

    dataset = images(whole)
    vectors = features(dataset.train_images)
    encoder = RandomProjectionLSH(bits, tables, random_state=0).fit(vectors)
    asked = features(dataset.test_images)[:queries]
    return Real(
        encoder.transform(vectors),
        encoder.transform(asked),
        encoder.project(asked),
        encoder.code_bits,
        tables,
        f"{dataset.name}, {len(vectors):,} images",
    )


def images(whole: bool) -> Dataset:
    """Fashion-MNIST if it is wanted and installed, else its sample."""
    try:
        return fashion_mnist() if whole else fashion_mnist_sample()
    except DatasetNotFoundError:
        return fashion_mnist_sample()


def features(pixels: npt.NDArray[np.uint8]) -> Floats:
    """HOG, kept in a file: the whole set takes a minute."""
    from hashret.features import hog

    digest = hashlib.sha256(inspect.getsource(hog).encode() + pixels.tobytes()).hexdigest()
    kept = CACHE / f"hog-{digest[:16]}.npy"
    if kept.exists():
        known: Floats = np.load(kept)
        return known
    made = hog(pixels)
    CACHE.mkdir(parents=True, exist_ok=True)
    np.save(kept, made)
    return made


def _random(rng: np.random.Generator, n: int, bits: int) -> Codes:
    codes = rng.integers(0, 256, (n, (bits + 7) // 8), dtype=np.uint8)
    codes[:, -1] &= 0xFF << (-bits % 8) & 0xFF
    return codes


def _split(codes: Codes, queries: int, bits: int) -> Searched:
    return Searched(codes[queries:], codes[:queries], bits)
