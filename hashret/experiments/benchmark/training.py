"""How long and how a benchmark trains networks: the same for all methods, but for :data:`TUNED`."""

from __future__ import annotations

from typing import Any

from ...errors import ParameterError

__all__ = ["BUDGETS", "TUNED", "budget_images", "training_settings"]

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


def budget_images(name: str, dataset: str, network: str, vectors: bool) -> int:
    """Return how many images a network sees in training, views counted; 0 is one epoch.

    Fixed beforehand, so that a slow or busy machine does not change a score.

    Parameters
    ----------
    vectors : bool
        Whether the network takes feature vectors in place of images.

    Examples
    --------
    >>> budget_images("zoo", "fashion-mnist", "small-cnn", vectors=False)
    312500
    """
    if name not in BUDGETS:
        raise ParameterError(f"budget: expected one of {', '.join(BUDGETS)}, got {name!r}")
    if vectors:
        return _HEADS[name]
    # Other data sets of small colour images as CIFAR-10.
    return BUDGETS[name].get(dataset, BUDGETS[name]["cifar10"]) * _RATES.get(
        (dataset, network), _OTHER_RATE
    )


def training_settings(
    method: str, dataset: str, network: str, budget: str, vectors: bool
) -> dict[str, Any]:
    """Return what :class:`hashret.deep.DeepHasher` takes for a method, and ``images`` seen in all.

    Parameters
    ----------
    vectors : bool
        Whether the network takes feature vectors in place of images.
    """
    settings: dict[str, Any] = dict(_VECTORS if vectors else _IMAGES)
    for key, changes in TUNED.items():
        wanted = (method, dataset, network, budget)
        if all(part in (None, given) for part, given in zip(key, wanted, strict=True)):
            settings |= changes
    return settings | {"images": budget_images(budget, dataset, network, vectors)}
