"""Searcher: an encoder and the index of its codes, so that no other's codes get in."""

from __future__ import annotations

import copy
import os
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from .codes import pack
from .errors import EncoderMismatchError
from .index import Index
from .pipelines import as_encoder
from .ranking import Rule, differ_in_rule
from .types import Codes, Distances, Floats, Ids

__all__ = ["Encoder", "Searcher", "check_encoder"]


class Encoder(Protocol):
    """What turns images or vectors into codes: those of ``encoders``, and ``DeepHasher``."""

    @property
    def code_bits(self) -> int:
        """Length of a code."""

    @property
    def fingerprint(self) -> str:
        """At most 64 ASCII characters; equal ones give equal codes."""

    def project(self, inputs: npt.ArrayLike, /) -> npt.NDArray[np.float32]:
        """Return the margins of the bits, shape (n, code_bits): 1 where > 0."""


def check_encoder(index: Index, encoder: Encoder) -> None:
    """Raise unless the codes of an index are those of an encoder, by length and fingerprint.

    Raises
    ------
    EncoderMismatchError
        If the index holds codes of another length, or of another encoder, was built under
        another ranking rule, or was not told whose codes they are.
    """
    encoder = as_encoder(encoder)
    if index.bits != encoder.code_bits:
        raise EncoderMismatchError(
            f"encoder: makes codes of {encoder.code_bits} bits, the index holds {index.bits}"
        )
    if index.encoder == encoder.fingerprint:
        return
    if differ_in_rule(index.encoder or "", encoder.fingerprint):
        raise EncoderMismatchError(
            "encoder: it makes the index's codes, but the index was built under another ranking "
            f"rule: {encoder.fingerprint} is not {index.encoder}"
        )
    raise EncoderMismatchError(
        f"encoder: its fingerprint is {encoder.fingerprint}, the index holds codes of "
        f"{index.encoder}"
    )


class Searcher:
    """An index that takes what its encoder takes: images, or vectors.

    Where the encoder has a ranking rule (:mod:`hashret.ranking`), the searches are by that.

    Parameters
    ----------
    encoder : Encoder
        Fitted, or a fitted scikit-learn pipeline that ends in one. Fitting it again later changes
        nothing here.
    index : Index, optional
        Of this encoder's codes; by default a new one.
    options
        Of a new index, such as ``kind="lsh", tables=8``.

    Raises
    ------
    EncoderMismatchError
        If the index is another encoder's; see :func:`check_encoder`.
    ParameterError
        If a step of a pipeline holds what no fingerprint can be taken of, such as a lambda.

    Examples
    --------
    >>> from hashret.encoders import PCAHashing
    >>> vectors = np.random.default_rng(0).normal(size=(100, 16))
    >>> searcher = Searcher(PCAHashing(8).fit(vectors))
    >>> ids = searcher.add(vectors)
    >>> distances, found = searcher.search(vectors[:3], k=1)
    >>> distances.ravel()
    array([0, 0, 0], dtype=int32)
    """

    def __init__(self, encoder: Encoder, index: Index | None = None, **options: Any) -> None:
        encoder = as_encoder(encoder)
        # Fitting gives an encoder new attributes; the copy keeps those of now.
        self._encoder = copy.copy(encoder)
        if index is None:
            index = Index(encoder.code_bits, encoder=encoder.fingerprint, **options)
        check_encoder(index, encoder)
        self._index = index
        rule: Rule | None = getattr(encoder, "ranking", None)
        self._ranked = None if rule is None else index.ranked(rule)

    @classmethod
    def load(cls, path: str | os.PathLike[str], encoder: Encoder, *, mmap: bool = False) -> Self:
        """Read the index that ``searcher.index.save`` wrote, for the encoder that filled it.

        Raises
        ------
        FormatError
            If the file is no index.
        EncoderMismatchError
            If it holds another encoder's codes.
        """
        return cls(encoder, Index.load(path, mmap=mmap))

    @property
    def index(self) -> Index:
        """The index."""
        return self._index

    @property
    def encoder(self) -> Encoder:
        """The encoder, as it was when it was given."""
        return self._encoder

    def encode(self, inputs: npt.ArrayLike) -> Codes:
        """Return packed codes, uint8 (n, ceil(bits / 8))."""
        return pack(self._encoder.project(inputs))

    def add(self, inputs: npt.ArrayLike, ids: npt.ArrayLike | None = None) -> Ids:
        """Encode and add; see :meth:`Index.add <hashret.Index.add>`."""
        return self._index.add(self.encode(inputs), ids)

    def search(
        self, inputs: npt.ArrayLike, k: int, **options: Any
    ) -> tuple[Distances | Floats, Ids]:
        """Encode and search; see :meth:`Index.search <hashret.Index.search>`.

        An index of kind "lsh" probes its buckets in the order of the encoder's margins. By a
        ranking rule distances are float64; see :meth:`Ranked.search
        <hashret.index.ranked.Ranked.search>`.
        """
        margins = self._encoder.project(inputs)
        if self._ranked is not None:
            return self._ranked.search(self._ranked.rule.queries_of(margins), k, **options)
        return self._index.search(pack(margins), k, **self._with_margins(margins, options))

    def range_search(
        self, inputs: npt.ArrayLike, radius: float, **options: Any
    ) -> tuple[Ids, Distances | Floats, Ids]:
        """Encode and search; see :meth:`Index.range_search <hashret.Index.range_search>`.

        By a ranking rule radius and distances are its own, any real numbers.
        """
        margins = self._encoder.project(inputs)
        if self._ranked is not None:
            return self._ranked.range_search(
                self._ranked.rule.queries_of(margins), radius, **options
            )
        options = self._with_margins(margins, options)
        return self._index.range_search(pack(margins), radius, **options)  # type: ignore[arg-type]

    def _with_margins(
        self, margins: npt.NDArray[np.float32], options: dict[str, Any]
    ) -> dict[str, Any]:
        return {"margins": margins, **options} if self._index.kind == "lsh" else options
