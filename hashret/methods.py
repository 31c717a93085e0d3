"""Methods of hashing by name: what a benchmark compares, and what can be trained.

To add a method, add an entry to :data:`METHODS`; a loss that is registered and has none is run with
its published options.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from .errors import ParameterError
from .extras import import_extra

__all__ = [
    "METHODS",
    "TWO_PARTS",
    "VARIANTS",
    "Classic",
    "Deep",
    "Exact",
    "Method",
    "TwoPart",
    "learns_from",
    "method",
    "method_names",
]

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Exact:
    """Exact nearest neighbours of the feature vectors: the standard without labels.

    By angle if `cosine`, else by Euclidean distance.
    """

    title: str
    cosine: bool = False
    supervised = False
    seeded = False


@dataclass(frozen=True)
class Classic:
    """An encoder of :mod:`hashret.encoders`, by class name, over feature vectors.

    The options are its parameters, beside the bits and the random state.
    """

    title: str
    encoder: str
    options: Options = field(default_factory=dict)
    supervised = False

    @property
    def seeded(self) -> bool:
        """Whether it draws at random."""
        return "random_state" in inspect.signature(self._class()).parameters

    def make(self, bits: int, seed: int, options: Options) -> Any:
        """Return the encoder, not fitted, with these options."""
        state = {"random_state": seed} if self.seeded else {}
        return self._class()(bits=bits, **options, **state)

    def _class(self) -> Any:
        return getattr(import_extra("hashret.encoders", "images"), self.encoder)


@dataclass(frozen=True)
class Deep:
    """A loss of :mod:`hashret.deep`, by name, which trains a network or a head over vectors.

    The options are its hyper-parameters, where they are not the published ones. With
    `bit_a_class` codes have one bit a class, whatever number is asked for. A benchmark ranks the
    database by `order`: the codes' Hamming distance; or, of a classifier, the probability that
    the query's softmax gives an image's code ("softmax"), or the inner product of both softmaxes,
    which needs no codes ("inner-product").
    """

    title: str
    loss: str
    options: Options = field(default_factory=dict)
    bit_a_class: bool = False
    order: Literal["hamming", "softmax", "inner-product"] = "hamming"
    seeded = True

    @property
    def supervised(self) -> bool:
        """Whether it learns from labels."""
        return learns_from("labels", self.make(self.options))

    def make(self, options: Options) -> Any:
        """Return the loss, with these options."""
        return import_extra("hashret.deep", "torch").make_loss(self.loss, **options)


@dataclass(frozen=True)
class TwoPart(Deep):
    """A loss for the first bits of a code, and a closed form for the rest: `hashret.prism.Prism`.

    The options are the loss's; `residual` are :class:`~hashret.prism.Prism`'s `gamma` and `tap`,
    and `share`, the prefix's part of the bits, or `cells`, the bits of
    :class:`~hashret.prism.ClassCells` around a classifier; and `clusters`, how many of
    :func:`~hashret.prism.balanced_clusters` are the classes, where labels are not looked at.
    """

    residual: Options = field(default_factory=dict)
    encoder = "ResidualITQ"

    @property
    def supervised(self) -> bool:
        """Whether it learns from labels."""
        return "clusters" not in self.residual and super().supervised

    def classes(self, vectors: Any, labels: Any, seed: int, residual: Options) -> Any:
        """Return the labels of training images, or what stands for them."""
        if not residual.get("clusters"):
            return labels
        prism = import_extra("hashret.prism", "torch")
        return prism.balanced_clusters(vectors, residual["clusters"], random_state=seed)

    def prefix_bits(self, bits: int) -> int:
        """Return how many bits of a code are the prefix.

        Raises
        ------
        ParameterError
            If nothing is left for one of the parts.
        """
        cells, share = self.residual.get("cells"), self.residual.get("share", 0)
        count = int(cells) if cells else round(bits * float(share))
        if not 0 < count < bits:
            words = f"{cells} bits" if cells else f"a share of {share}"
            raise ParameterError(
                f"bits: {words} for the prefix leaves nothing for one of the parts, got {bits}"
            )
        return count

    def around(self, hasher: Any, bits: int, seed: int, residual: Options) -> Any:
        """Return the encoder around a hasher of the prefix, not fitted."""
        prism = import_extra("hashret.prism", "torch")
        if residual.get("cells"):
            hasher = prism.ClassCells(hasher, residual["cells"], random_state=seed)
        own = {name: residual[name] for name in ("gamma", "tap")}
        return prism.Prism(hasher, bits, **own, random_state=seed)


Method: TypeAlias = Exact | Classic | Deep

_NESTED = {"loss": "hashnet"}


def _two_parts(title: str, loss: str, options: Options, gamma: float) -> TwoPart:
    residual = {"gamma": gamma, "tap": "features", "share": 0.5}
    return TwoPart(title, loss, options, residual=residual)


def _cells(title: str, gamma: float, **more: int) -> TwoPart:
    residual = {"gamma": gamma, "tap": "features", "cells": 10, **more}
    return TwoPart(title, "classifier", residual=residual)


METHODS: dict[str, Method] = {
    "knn": Exact("Exact k-NN, Euclidean"),
    "knn-cosine": Exact("Exact k-NN, cosine", cosine=True),
    "lsh-gaussian": Classic(
        "LSH, Gaussian", "RandomProjectionLSH", {"tables": 1, "distribution": "gaussian"}
    ),
    "lsh-orthogonal": Classic(
        "LSH, orthogonal", "RandomProjectionLSH", {"tables": 1, "distribution": "orthogonal"}
    ),
    "pca": Classic("PCA hashing", "PCAHashing"),
    "spectral": Classic("Spectral hashing", "SpectralHashing"),
    "itq": Classic("ITQ", "ITQ"),
    # One bit a class, so that any two classes are equally far.
    "classifier": Deep("Plain classifier", "classifier", {"code": "one-hot"}, bit_a_class=True),
    "dsh": Deep("DSH", "dsh"),
    "dpsh": Deep("DPSH", "dpsh"),
    "dhn": Deep("DHN", "dpsh", {"quantizer": "log-cosh"}),
    "hashnet": Deep("HashNet", "hashnet"),
    "greedyhash": Deep("GreedyHash", "greedyhash"),
    "csq": Deep("CSQ", "csq"),
    "dpn": Deep("DPN", "dpn"),
    "orthohash": Deep("OrthoHash", "orthohash"),
    "cnnh": Deep("CNNH", "cnnh"),
    "greedyhash-unsupervised": Deep("GreedyHash, unsupervised", "greedyhash-unsupervised"),
    "bihalf": Deep("BiHalf", "bihalf"),
    "cibhash": Deep("CIBHash", "cibhash"),
    "bgan": Deep("BGAN, an experiment", "bgan"),
}

# Codes with two axes: class cells and residual, its dial, and the closed forms that are its
# controls, a nested prefix among them.
TWO_PARTS: dict[str, Method] = {
    "prism": _cells("Prism", 0.5),
    "prism-0": _cells("Prism, gamma 0", 0.0),
    "prism-100": _cells("Prism, gamma 1", 1.0),
    "prism-unlabelled": _cells("Prism, without labels", 1.0, clusters=200),
    "prism-nested": _two_parts("Nested HashNet and residual", "nested", _NESTED, 0.5),
    "hashnet-c1": _two_parts("HashNet and ITQ (C1)", "hashnet", {}, 1.0),
    "hashnet-c3": _two_parts("HashNet and residual (C3)", "hashnet", {}, 0.0),
    "orthohash-c1": _two_parts("OrthoHash and ITQ (C1)", "orthohash", {}, 1.0),
    "orthohash-c3": _two_parts("OrthoHash and residual (C3)", "orthohash", {}, 0.0),
    "classifier-itq": _two_parts("Classifier and ITQ", "classifier", {}, 1.0),
}

# Options that go with any method, shown on one: run when they are named, and not with all.
VARIANTS: dict[str, Method] = TWO_PARTS | {
    "classifier-softmax": Deep(
        "Classifier, by the query's softmax", "classifier", {"code": "one-hot"}, True, "softmax"
    ),
    "classifier-inner-product": Deep(
        "Classifier, softmaxes by inner product",
        "classifier",
        {"code": "one-hot"},
        True,
        "inner-product",
    ),
    "dsh-tanh": Deep("DSH, tanh continuation", "regularised", {"loss": "dsh", "binarize": "tanh"}),
    "dsh-sign": Deep("DSH, straight-through", "regularised", {"loss": "dsh", "binarize": "sign"}),
    "dsh-regularised": Deep(
        "DSH, balanced and decorrelated",
        "regularised",
        {"loss": "dsh", "balance": 1.0, "decorrelation": 1.0},
    ),
    "greedyhash-pruned": Deep("GreedyHash, pruned epochs", "pruned", {"loss": "greedyhash"}),
    "dhn-bounded": Deep(
        "DHN, bounded outputs",
        "regularised",
        {
            "loss": {"name": "dpsh", "options": {"quantizer": "log-cosh"}},
            "binarize": "tanh",
            "growth": 0.0,
        },
    ),
    "orthohash-cifar10": Deep("OrthoHash, margin 0.3", "orthohash", {"margin": 0.3}),
    "bihalf-gentle": Deep("BiHalf, gamma 1", "bihalf", {"gamma": 1.0}),
    "orthohash-self-distilled": Deep(
        "OrthoHash, self-distilled", "self-distilled", {"loss": "orthohash"}
    ),
    "orthohash-ema": Deep("OrthoHash, averaged weights", "orthohash"),
    "dsh-semi-supervised": Deep(
        "DSH and CIBHash of all images", "semi-supervised", {"loss": "dsh"}
    ),
    "orthohash-semi-supervised": Deep(
        "OrthoHash and CIBHash of all images", "semi-supervised", {"loss": "orthohash"}
    ),
}


def learns_from(what: str, loss: Any) -> bool:
    """Tell whether a loss learns from "labels", or from "features": a vector of each image."""
    return loss.target in (what, "both")


def method_names() -> list[str]:
    """Return the names of those of :data:`METHODS`, then of losses without an entry."""
    covered = {entry.loss for entry in METHODS.values() if isinstance(entry, Deep)}
    losses = import_extra("hashret.deep", "torch").loss_names()
    return [*METHODS, *(name for name in losses if name not in covered)]


def method(name: str) -> Method:
    """Return a method by name, in any case.

    Raises
    ------
    ParameterError
        If there is none of this name.

    Examples
    --------
    >>> method("ITQ")
    Classic(title='ITQ', encoder='ITQ', options={})
    """
    key = name.lower()
    known = METHODS | VARIANTS
    if key in known:
        return known[key]
    names = method_names()
    if key not in names:
        words = ", ".join([*names, *VARIANTS])
        raise ParameterError(f"methods: expected one of {words}, got {name!r}")
    return Deep(key, key)
