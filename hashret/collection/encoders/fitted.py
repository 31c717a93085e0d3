"""Encoders that are fitted to a sample of the collection."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, Self

import numpy as np

from ...extras import import_extra
from ...ranking import with_rule
from ...types import Codes, Floats, Images
from ..catalogue import EncoderRow
from .features import SIDE, Features, Vectors
from .files import keep, kept
from .quantizers import Quantizer, load_quantizer

__all__ = ["SAMPLE", "Fitted", "Unfitted", "fit_quantizer", "fitted_of", "outgrown"]

# More gained nothing, see docs/encoders.md.
SAMPLE = 2048
_BITS = 256
# A collection that has grown so many times has outgrown the sample that was all of it.
_GROWN = 4


class Fitted:
    """Iterative quantization (ITQ) of features, or another quantizer of theirs.

    Parameters
    ----------
    name, fingerprint, bits, settings
        As :class:`..updating.Encoder` has them.
    load : callable
        Returns features and the fitted quantizer; called when the first picture is encoded, as
        most updates have none.
    """

    side = SIDE
    code_of = None

    def __init__(
        self,
        name: str,
        fingerprint: str,
        bits: int,
        settings: dict[str, Any],
        load: Callable[[], tuple[Features, Quantizer]],
    ) -> None:
        self.name, self.fingerprint = name, fingerprint
        self.bits, self.settings = bits, settings
        self._load = load

    @classmethod
    def of(
        cls, name: str, features: Features, quantizer: Quantizer, settings: dict[str, Any]
    ) -> Self:
        """Return the encoder of features and a fitted quantizer."""
        about = json.dumps(features.settings, sort_keys=True) + quantizer.codes_fingerprint
        codes = hashlib.sha256(about.encode()).hexdigest()
        fingerprint = with_rule(codes, quantizer.ranking)
        return cls(name, fingerprint, quantizer.code_bits, settings, lambda: (features, quantizer))

    @cached_property
    def _loaded(self) -> tuple[Features, Quantizer]:
        return self._load()

    @property
    def quantizer(self) -> Quantizer:
        """The fitted encoder of vectors."""
        return self._loaded[1]

    def encode(self, pictures: Sequence[Images], /) -> tuple[Codes, None]:
        """Return codes (n, bytes)."""
        return self.quantizer.transform(self._describe(pictures)), None

    def project(self, pictures: Sequence[Images], /) -> Floats:
        """Return the margins of the bits, shape (n, bits): 1 where > 0."""
        return self.quantizer.project(self._describe(pictures))

    def _describe(self, pictures: Sequence[Images]) -> Vectors:
        return self._loaded[0].describe(pictures)


class Unfitted:
    """An encoder before it has seen the collection.

    Parameters
    ----------
    name : str
        What the collection calls it.
    features : Features
    """

    side = SIDE
    sample = SAMPLE

    def __init__(self, name: str, features: Features) -> None:
        self.name, self.features = name, features

    def made(self, row: EncoderRow) -> bool:
        """Return whether the encoder of a row is this one, fitted to some sample."""
        same: bool = row.settings.get("features") == self.features.settings
        return row.name == self.name and same

    def describe(self, pictures: Sequence[Images], /) -> Vectors:
        """Return vectors (n, d)."""
        return self.features.describe(pictures)

    def fit(self, contents: Sequence[bytes], vectors: Vectors, store: str) -> tuple[Fitted, Codes]:
        """Fit to the vectors of a sample, keep the result in a store, and return their codes.

        Parameters
        ----------
        contents : sequence of bytes
            Of the pictures, in any order: that of the contents counts.
        vectors : ndarray of float32, shape (n, d)
            At least one.
        store : str
        """
        order = sorted(range(len(contents)), key=contents.__getitem__)
        # On several threads the last digits depend on how many; and where other processes want the
        # cores, threads that wait for each other take ten times as long.
        with import_extra("threadpoolctl", "images").threadpool_limits(1):
            quantizer = fit_quantizer(vectors[order], _BITS)
        settings = {
            "kind": "fitted",
            "features": self.features.settings,
            "quantizer": keep(store, _saved(quantizer), ".safetensors"),
            "sample": len(order),
        }
        fitted = Fitted.of(self.name, self.features, quantizer, settings)
        return fitted, quantizer.transform(vectors)


def fitted_of(row: EncoderRow, features: Callable[[], Features], store: str) -> Fitted:
    """Return the fitted encoder of a row, from the file in the store.

    Raises
    ------
    HashretError
        If that is missing.
    """
    path = kept(store, row.settings["quantizer"])
    return Fitted(
        row.name,
        row.fingerprint,
        row.bits,
        row.settings,
        lambda: (features(), load_quantizer(path)),
    )


def outgrown(row: EncoderRow, images: int) -> bool:
    """Return whether an encoder should be fitted again: its sample was small, and is so no more.

    Parameters
    ----------
    row : EncoderRow
    images : int
        In the collection now.
    """
    sample: int = row.settings.get("sample", SAMPLE)
    return sample < SAMPLE and images >= _GROWN * sample


def fit_quantizer(rows: Vectors, most: int = _BITS) -> Quantizer:
    """Fit to vectors; where they are too few, or too alike, take random axes about their mean.

    Fewer principal axes than bits are worth less than that, see docs/encoders.md.
    """
    from ...encoders import ITQ, RandomProjectionLSH

    bits = min(most, rows.shape[1])
    if len(rows) > bits:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            with suppress(UserWarning):
                return ITQ(bits, random_state=0).fit(rows)
    # A vector of zeros counts as one more: the mean of one alone would leave nothing of it.
    with_zeros = np.concatenate([rows, np.zeros_like(rows[:1])])
    return RandomProjectionLSH(bits, 1, "orthogonal", random_state=0).fit(with_zeros)


def _saved(quantizer: Quantizer) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "encoder")
        quantizer.save(path)
        with open(path, "rb") as file:
            return file.read()
