"""The encoder of codes of two axes.

Codes learned from labels collapse: images of a class get nearly one code, so that results tie by
the thousand. Here a code is a *prefix* of `prefix_bits` learned from labels, and a *residual*: ITQ
of the same network's features without what the classes explain, a closed form that takes seconds
beyond the prefix's training. See :class:`~hashret.encoders.ResidualITQ` for the residual,
:class:`ClassCells` for the prefix that is best, and the loss ``nested`` for prefixes of prefixes.
How the two parts count against each other is the encoder's :attr:`~Prism.ranking`.
"""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from ..checks import as_array, check_choice, check_int
from ..codes import check_bits, pack
from ..deep import DeepHasher
from ..encoders import ResidualITQ
from ..encoders.base import with_seed
from ..encoders.residual import class_numbers
from ..errors import (
    CodeError,
    DTypeError,
    FormatError,
    ParameterError,
    ShapeError,
)
from ..evaluation.choosing import best_rule, lightest_rule
from ..ranking import ClassAware, Hamming, HasRanking, Rule, class_centres, rule_from
from ..types import Codes
from .cells import ClassCells
from .parts import malformed, open_part, part_of, read_parts, write_parts

__all__ = ["WEIGHTS", "Prism"]

_KIND = "prism encoder"
Margins = npt.NDArray[np.float32]
# Of the class-aware distance; above, the prefix of 8 to 32 bits comes all but first.
WEIGHTS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
# Of cells, in bits a factor of e in probability; and what is taken without held-out images, found
# on held-out training images of CIFAR-100.
CELL_WEIGHTS = (4.0, 8.0, 16.0, 32.0, 64.0)
CELL_WEIGHT = 32.0


class Prism(HasRanking):
    """A deep encoder for the first bits of a code, and ITQ of its features' residual for the rest.

    Parameters
    ----------
    prefix : DeepHasher or ClassCells
        Of as many bits as the prefix has; `fit` trains a copy. A loss ``nested`` makes each of
        its prefixes a code, too.
    bits : int
        Length of the whole code.
    gamma : float
        0 to 1: what part of the directions in which classes differ is left in the residual. 1 is
        plain ITQ of the features. At 0 no bit repeats what the prefix says, and images of classes
        that were not in training are told apart by less.
    tap : {"features", "inputs"}
        What the residual is taken of: what the hash layer is given, or the vectors that the
        network is given (for networks of vectors).
    random_state : int, optional
        Of the rotation; the prefix has its own.

    Attributes
    ----------
    prefix_ : DeepHasher or ClassCells
    residual_ : ResidualITQ

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X = rng.normal(size=(200, 24)) + 2 * y[:, None]
    >>> prefix = DeepHasher("linear", "hashnet", 4, epochs=4, batch_size=50, random_state=0)
    >>> encoder = Prism(prefix, bits=12, gamma=0.25, random_state=0).fit(X, y)
    >>> encoder.transform(X).shape
    (200, 2)

    With cells, and the rule that they are made for:

    >>> classifier = DeepHasher("linear", "classifier", 1, epochs=4, batch_size=50, random_state=0)
    >>> encoder = Prism(ClassCells(classifier, bits=3, random_state=0), bits=12, random_state=0)
    >>> encoder.fit(X, y).ranking
    SameClass(12, prefix_bits=3, weight=32, 8 cells)
    """

    prefix_: DeepHasher | ClassCells
    residual_: ResidualITQ
    _fitted_with: dict[str, Any]

    def __init__(
        self,
        prefix: DeepHasher | ClassCells,
        bits: int = 64,
        gamma: float = 0.5,
        tap: Literal["features", "inputs"] = "features",
        random_state: int | None = None,
    ) -> None:
        self.prefix = prefix
        self.bits = bits
        self.gamma = gamma
        self.tap = tap
        self.random_state = random_state

    @property
    def prefix_bits(self) -> int:
        """Bits of the prefix."""
        return getattr(self, "prefix_", self.prefix).code_bits

    @property
    def code_bits(self) -> int:
        """Bits of the whole code; once fitted, of the codes it makes."""
        if hasattr(self, "residual_"):
            return self.prefix_.code_bits + self.residual_.code_bits
        return check_bits(self.bits)

    @property
    def input_shape_(self) -> tuple[int, ...]:
        """Shape of an image: (height, width, channels), or (d,) for vectors."""
        self._check_fitted()
        return self.prefix_.input_shape_

    def fit(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        held_out: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        checkpoint: str | Path | None = None,
        **learned: Any,
    ) -> Self:
        """Train the prefix, then fit the residual to the same images; choose the ranking.

        Parameters
        ----------
        images : array_like
            What the prefix takes: images, or vectors.
        labels : array_like, shape (n,)
        held_out : (images, labels), optional
            Others, by which :attr:`ranking` is chosen: class-aware distance, of that weight of
            ``hashret.prism.WEIGHTS`` by which looking for each of them among the others has the
            highest mean average precision, or Hamming distance if that has. The classes' centres
            are those of the training images' prefixes. By default it is Hamming distance.
            With cells it is :class:`~hashret.ranking.SameClass`, of the least of the weights 4 to
            64 that is within 0.01 of the best of them; by default of weight 32.
        checkpoint : path, optional
            Of the prefix's training; see :meth:`hashret.deep.DeepHasher.fit`.
        learned
            What else the prefix's fit takes.

        Raises
        ------
        ParameterError, ShapeError, DTypeError
            If a parameter is out of range, the residual has more bits than its features have
            rank, or labels or `held_out` do not fit; what was fitted before stays.
        """
        made = copy.copy(self)
        made.prefix_, made.residual_, made._ranking = copy.copy(self.prefix), self._residual(), None
        made._fitted_with = made._parameters()
        # What is unfit is refused before the training.
        judges = None if held_out is None else _held_out(held_out, as_array("images", images))
        if self.gamma < 1 or judges:
            classes = class_numbers(labels, len(as_array("images", images)))
        made.prefix_.fit(images, labels, checkpoint=checkpoint, **learned)
        made.residual_.fit(made._tapped(images), labels)
        if isinstance(made.prefix_, ClassCells):
            made._ranking = made._weighted(made.prefix_, judges)
        elif judges:
            made._ranking = made._chosen(made.prefix_.transform(images), classes, *judges)
        vars(self).update(vars(made))
        return self

    def _weighted(self, cells: ClassCells, judges: tuple[Any, Any] | None) -> Rule:
        """Return the rule of cells, of the weight that held-out images ask for."""
        if judges is None:
            return cells.rule(self.code_bits, CELL_WEIGHT)
        rules = [cells.rule(self.code_bits, weight) for weight in CELL_WEIGHTS]
        return lightest_rule(rules, self.project(judges[0]), judges[1])

    def _chosen(
        self,
        prefixes: Codes,
        classes: npt.NDArray[np.int64],
        images: npt.NDArray[Any],
        labels: npt.NDArray[np.int64],
    ) -> Rule | None:
        """Return the rule that ranks images best, with centres of the training images' prefixes."""
        bits, own = self.code_bits, self.prefix_bits
        centres = class_centres(prefixes, classes, own, own)
        aware = [ClassAware(bits, own, weight, centres=centres) for weight in WEIGHTS]
        best = best_rule([Hamming(bits), *aware], self.project(images), labels)
        return None if isinstance(best, Hamming) else best

    def project(self, images: npt.ArrayLike, *, batch_size: int = 1024) -> Margins:
        """Return the margins of the bits, float32 (n, bits): 1 where > 0."""
        self._check_fitted()
        parts = [
            self.prefix_.project(images, batch_size=batch_size),
            self.residual_.project(self._tapped(images, batch_size)),
        ]
        return np.concatenate(parts, axis=1)

    def transform(self, images: npt.ArrayLike, *, batch_size: int = 1024) -> Codes:
        """Return the packed codes, uint8 (n, ceil(bits / 8)): the prefix's bits come first."""
        return pack(self.project(images, batch_size=batch_size))

    @property
    def codes_fingerprint(self) -> str:
        """SHA-256 of both parts: equal fingerprints give equal codes."""
        self._check_fitted()
        words = [self.prefix_.codes_fingerprint, self.residual_.codes_fingerprint]
        words.append(self._fitted_with["tap"])
        return hashlib.sha256(" ".join(words).encode()).hexdigest()

    def save(self, path: str | Path) -> None:
        """Write both parts and :attr:`ranking` to one safetensors file, atomically."""
        self._check_fitted()
        header: dict[str, Any] = {
            **self._fitted_with,
            "cells": isinstance(self.prefix_, ClassCells),
            "fingerprint": self.fingerprint,
        }
        if self.ranking is not None:
            header["ranking"] = self.ranking.as_dict()
        parts = {"prefix": part_of(self.prefix_), "residual": part_of(self.residual_)}
        write_parts(path, _KIND, header, parts)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Read an encoder that :meth:`save` wrote; nothing in the file is executed.

        Raises
        ------
        FormatError
            If the file is not a complete and undamaged one of this kind.
        """
        header, parts = read_parts(path, _KIND)
        with malformed(path, _KIND):
            kind = ClassCells if header.get("cells") else DeepHasher
            with open_part(parts["prefix"]) as part:
                prefix = kind.load(part, device=device)
            with open_part(parts["residual"]) as part:
                residual = ResidualITQ.load(part)
            settings = {name: header[name] for name in ("bits", "gamma", "tap", "random_state")}
            encoder = cls(prefix, **settings)
            encoder.prefix_, encoder.residual_ = prefix, residual
            encoder._fitted_with = settings
            if "ranking" in header:
                encoder.ranking = rule_from(header["ranking"])
        whole = prefix.code_bits + residual.code_bits == encoder.bits
        if not whole or encoder.fingerprint != header.get("fingerprint"):
            raise FormatError(f"{path}: damaged: the fingerprint does not fit the contents")
        return encoder

    def _parameters(self) -> dict[str, Any]:
        """Return what a file keeps of the constructor's parameters."""
        names = ("bits", "gamma", "tap", "random_state")
        return with_seed({name: getattr(self, name) for name in names})

    def _residual(self) -> ResidualITQ:
        """Return the residual's encoder, not fitted, or raise for a parameter before training."""
        check_choice("tap", self.tap, "features", "inputs")
        left = check_bits(self.bits) - check_int("prefix.bits", self.prefix.bits, 1)
        if left < 1:
            raise ParameterError(
                f"bits: expected more than the prefix's {self.prefix.bits}, got {self.bits}"
            )
        residual = ResidualITQ(left, self.gamma, random_state=self.random_state)
        residual._check_parameters()
        return residual

    def _tapped(self, images: npt.ArrayLike, batch_size: int = 1024) -> npt.NDArray[Any]:
        if self._fitted_with["tap"] == "features":
            return self.prefix_.features(images, batch_size=batch_size)
        vectors = np.asarray(images)
        if vectors.ndim != 2:
            raise CodeError(
                f'images: expected vectors (n, d) for tap="inputs", got shape {vectors.shape}'
            )
        return vectors

    def _check_fitted(self) -> None:
        if not hasattr(self, "residual_"):
            raise ParameterError("Prism: not fitted yet, call fit or load first")


def _held_out(
    given: tuple[npt.ArrayLike, npt.ArrayLike], images: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Return held-out images and their classes' numbers, or raise unless they can judge."""
    if not isinstance(given, tuple) or len(given) != 2:
        raise DTypeError(f"held_out: expected (images, labels), got {type(given).__name__}")
    others = as_array("held_out", given[0])
    if others.shape[1:] != images.shape[1:] or not others.ndim:
        raise ShapeError(f"held_out: expected images {images.shape[1:]}, got {others.shape}")
    if given[1] is None:
        raise ParameterError("held_out: expected labels of its images, got None")
    numbers = class_numbers(given[1], len(others), "held_out")
    if (numbers < 0).all():
        raise ParameterError("held_out: no two images share a class, so that nothing is similar")
    return others, numbers
