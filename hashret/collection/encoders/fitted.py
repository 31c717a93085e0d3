"""Encoders that are fitted to a sample of the collection."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import islice
from typing import Any, Self

import numpy as np

from ...types import Codes, Floats, Images
from ..catalogue import EncoderRow
from .features import SIDE, Features, Vectors
from .files import keep, kept
from .quantizers import Quantizer, load_quantizer

__all__ = ["SAMPLE", "Fitted", "Unfitted", "fit_quantizer", "fitted_of", "outgrown"]

# More gained nothing, see docs/encoders.md.
SAMPLE = 2048
_BITS = 256
_AT_ONCE = 64
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
        self._known: dict[bytes, Vectors] = {}

    @classmethod
    def of(
        cls, name: str, features: Features, quantizer: Quantizer, settings: dict[str, Any]
    ) -> Self:
        """Return the encoder of features and a fitted quantizer."""
        about = json.dumps(features.settings, sort_keys=True) + quantizer.fingerprint
        fingerprint = hashlib.sha256(about.encode()).hexdigest()
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

    def remember(self, known: dict[bytes, Vectors]) -> None:
        """Take the vectors of the sample, so that no picture of it is described twice."""
        self._known = known

    def _describe(self, pictures: Sequence[Images]) -> Vectors:
        if not self._known:
            return self._loaded[0].describe(pictures)
        known = [self._known.pop(_digest(picture), None) for picture in pictures]
        lacking = [p for p, vector in zip(pictures, known, strict=True) if vector is None]
        new = iter(self._loaded[0].describe(lacking) if lacking else ())
        return np.stack([next(new) if vector is None else vector for vector in known])


class Unfitted:
    """An encoder before it has seen the collection.

    Parameters
    ----------
    name : str
        What the collection calls it.
    features : Features
    """

    side = SIDE

    def __init__(self, name: str, features: Features) -> None:
        self.name, self.features = name, features

    def made(self, row: EncoderRow) -> bool:
        """Return whether the encoder of a row is this one, fitted to some sample."""
        same: bool = row.settings.get("features") == self.features.settings
        return row.name == self.name and same

    def fit(self, sample: Iterable[tuple[bytes, Images]], store: str) -> Fitted | None:
        """Fit to a sample, and keep the result in a store.

        Parameters
        ----------
        sample : iterable of (content, picture)
            In any order: that of the contents counts.
        store : str

        Returns
        -------
        encoder : Fitted or None
            None if there is no picture: nothing can be told of the collection yet.
        """
        contents, digests, vectors = self._described(sample)
        if not contents:
            return None
        order = sorted(range(len(contents)), key=contents.__getitem__)
        quantizer = fit_quantizer(vectors[order], _BITS)
        settings = {
            "kind": "fitted",
            "features": self.features.settings,
            "quantizer": keep(store, _saved(quantizer), ".safetensors"),
            "sample": len(order),
        }
        fitted = Fitted.of(self.name, self.features, quantizer, settings)
        fitted.remember(dict(zip(digests, vectors, strict=True)))
        return fitted

    def _described(
        self, sample: Iterable[tuple[bytes, Images]]
    ) -> tuple[list[bytes], list[bytes], Vectors]:
        contents: list[bytes] = []
        digests: list[bytes] = []
        vectors: list[Vectors] = []
        for part in _parts(iter(sample)):
            pictures = [picture for _, picture in part]
            contents += [content for content, _ in part]
            digests += [_digest(picture) for picture in pictures]
            vectors.append(self.features.describe(pictures))
        return contents, digests, np.concatenate(vectors) if vectors else np.empty((0, 0), "f4")


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


def _parts(sample: Iterator[tuple[bytes, Images]]) -> Iterator[list[tuple[bytes, Images]]]:
    while part := list(islice(sample, _AT_ONCE)):
        yield part


def _digest(picture: Images) -> bytes:
    shape = np.array(picture.shape).tobytes()
    return hashlib.blake2b(np.ascontiguousarray(picture).data, digest_size=16, key=shape).digest()


def _saved(quantizer: Quantizer) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "encoder")
        quantizer.save(path)
        with open(path, "rb") as file:
            return file.read()
