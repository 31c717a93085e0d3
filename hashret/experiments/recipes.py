"""What a benchmark compares: methods by name, and how each learns.

To add a method, add an entry to :data:`METHODS`; a loss that is registered and has none is run with
its published options. Networks, training budget and augmentation are the same for all methods
unless an entry of :data:`TUNED` says otherwise.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..errors import ParameterError, import_extra

__all__ = [
    "BUDGETS",
    "METHODS",
    "VARIANTS",
    "Classic",
    "Deep",
    "Exact",
    "Method",
    "budget",
    "learning",
    "method",
    "method_names",
]


@dataclass(frozen=True)
class Exact:
    """Exact nearest neighbours of the feature vectors: what hashing them can at best reach.

    Attributes
    ----------
    title : str
    cosine : bool
        Whether by angle, not by Euclidean distance.
    """

    title: str
    cosine: bool = False
    supervised = False
    seeded = False


@dataclass(frozen=True)
class Classic:
    """An encoder of :mod:`hashret.encoders`, over feature vectors.

    Attributes
    ----------
    title : str
    encoder : str
        Name of the class.
    options : mapping
        Its parameters, beside the bits and the random state.
    """

    title: str
    encoder: str
    options: Mapping[str, Any] = field(default_factory=dict)
    supervised = False

    @property
    def seeded(self) -> bool:
        """Whether it draws at random."""
        return "random_state" in inspect.signature(self._class()).parameters

    def make(self, bits: int, seed: int) -> Any:
        """Return the encoder, not fitted."""
        state = {"random_state": seed} if self.seeded else {}
        return self._class()(bits=bits, **self.options, **state)

    def _class(self) -> Any:
        return getattr(import_extra("hashret.encoders", "images"), self.encoder)


@dataclass(frozen=True)
class Deep:
    """A loss of :mod:`hashret.deep`, which trains a network or a head over feature vectors.

    Attributes
    ----------
    title : str
    loss : str
        Name in the registry.
    options : mapping
        Its hyper-parameters, where they are not the published ones.
    bit_a_class : bool
        Whether codes have one bit a class, whatever number is asked for.
    """

    title: str
    loss: str
    options: Mapping[str, Any] = field(default_factory=dict)
    bit_a_class: bool = False
    seeded = True

    @property
    def supervised(self) -> bool:
        """Whether it learns from labels."""
        return self.make().target in ("labels", "both")

    @property
    def taught(self) -> bool:
        """Whether it learns from a feature vector of each image."""
        return self.make().target in ("features", "both")

    def make(self) -> Any:
        """Return the loss."""
        return import_extra("hashret.deep", "torch").make_loss(self.loss, **self.options)


Method: TypeAlias = Exact | Classic | Deep

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

# Options that go with any method, shown on one: run when they are named, and not with all.
VARIANTS: dict[str, Method] = {
    "dsh-tanh": Deep("DSH, tanh continuation", "regularised", {"loss": "dsh", "binarize": "tanh"}),
    "dsh-sign": Deep("DSH, straight-through", "regularised", {"loss": "dsh", "binarize": "sign"}),
    "dsh-regularised": Deep(
        "DSH, balanced and decorrelated",
        "regularised",
        {"loss": "dsh", "balance": 1.0, "decorrelation": 1.0},
    ),
    "greedyhash-pruned": Deep("GreedyHash, pruned epochs", "pruned", {"loss": "greedyhash"}),
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

# CPU seconds of a training at the rates below: about five minutes for every method; for the best
# so much that fifteen minutes of two cores on Fashion-MNIST, where a second thread adds half, and
# 45 minutes of one on CIFAR-10 are enough on a processor that is a sixth or a third slower.
BUDGETS: dict[str, dict[str, int]] = {
    "smoke": {"fashion-mnist": 0, "cifar10": 0},
    "zoo": {"fashion-mnist": 250, "cifar10": 250},
    "long": {"fashion-mnist": 1150, "cifar10": 1700},
}
# Images that a core trains on in a second, measured on a server's core with AVX-512.
_RATES = {
    ("fashion-mnist", "small-cnn"): 1250,
    ("fashion-mnist", "resnet-9"): 580,
    ("cifar10", "small-cnn"): 950,
    ("cifar10", "resnet-9"): 405,
}
_OTHER_RATE = 400
# A head over frozen features takes seconds: as many images as are enough for it.
_HEADS = {"smoke": 0, "zoo": 400_000, "long": 3_000_000}

# The rate was best of 3e-3 and 1e-2 for HashNet, GreedyHash and CSQ on held-out training images of
# Fashion-MNIST (mAP@all 0.594 and 0.619, 0.725 and 0.753, 0.726 and 0.745 after four epochs of
# 5,000), and for DSH before; DPSH starts slowly at both, and reaches 0.651 at 1e-2 after ten.
_IMAGES = {
    "batch_size": 128,
    "learning_rate": 1e-2,
    "head_rate": 1.0,
    "weight_decay": 1e-2,
    "flip": True,
    "shift": 2,
}
_VECTORS = {"batch_size": 256, "learning_rate": 1e-3, "head_rate": 1.0, "weight_decay": 1e-4}

# By method, data set, network and budget, None for any: what differs from the above, and why. A
# later entry overrides an earlier one.
TUNED: dict[tuple[str | None, str | None, str | None, str | None], dict[str, Any]] = {
    # Those that learn distances between vectors from images: a lower rate, after trials on
    # training images.
    ("greedyhash-unsupervised", None, "small-cnn", None): {"learning_rate": 3e-3},
    ("bihalf", None, "small-cnn", None): {"learning_rate": 3e-3},
    ("bgan", None, "small-cnn", None): {"learning_rate": 3e-3},
    ("orthohash-ema", None, None, None): {"ema": 0.999},
    # The same for all methods. Scored with OrthoHash on held-out training images of Fashion-MNIST,
    # not chosen among others: mAP@10 (hits) 0.942 at 16 bits after 14 epochs, 0.946 with mirror.
    (None, None, "resnet-9", None): {
        "learning_rate": 5e-3,
        "weight_decay": 5e-2,
        "cutout": 8,
        "mirror": True,
    },
    # GreedyHash at 16 bits on held-out training images, 16 epochs: mAP@10 (hits) 0.945, and 0.947
    # with these further views.
    (None, "fashion-mnist", "resnet-9", "long"): {"nudge": 1},
}


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


def budget(name: str, dataset: str, network: str, vectors: bool) -> int:
    """Return how many images a network sees in training, views counted; 0 is one epoch.

    Fixed beforehand, so that a slow or busy machine does not change a score.

    Parameters
    ----------
    vectors : bool
        Whether the network takes feature vectors in place of images.

    Examples
    --------
    >>> budget("zoo", "fashion-mnist", "small-cnn", vectors=False)
    312500
    """
    if name not in BUDGETS:
        raise ParameterError(f"budget: expected one of {', '.join(BUDGETS)}, got {name!r}")
    if vectors:
        return _HEADS[name]
    return BUDGETS[name][dataset] * _RATES.get((dataset, network), _OTHER_RATE)


def learning(name: str, dataset: str, network: str, budget: str, vectors: bool) -> dict[str, Any]:
    """Return the settings of :class:`hashret.deep.DeepHasher` for a method, the epochs excepted.

    Parameters
    ----------
    vectors : bool
        Whether the network takes feature vectors in place of images.
    """
    settings: dict[str, Any] = dict(_VECTORS if vectors else _IMAGES)
    for key, changes in TUNED.items():
        wanted = (name, dataset, network, budget)
        if all(part in (None, given) for part, given in zip(key, wanted, strict=True)):
            settings |= changes
    return settings
