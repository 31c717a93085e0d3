"""What is compared on which data: a suite's protocols, lengths of codes, methods and training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...errors import ParameterError
from ...methods import METHODS, TWO_PARTS, Options

__all__ = ["SUITES", "Suite", "choose", "suite_of"]


@dataclass(frozen=True)
class Suite:
    """What a benchmark measures by default.

    Attributes
    ----------
    dataset : str
        Of the protocols that fit any.
    protocols : tuple of str
        Those that can be asked for, the default first.
    bits : tuple of int
        Lengths of a code.
    features : str
        The vectors of methods that take no images.
    from_images : bool
        Whether deep methods train a network on images unless features are given.
    classes : int
        Of the data set: bits of the methods that have one a class.
    variants : mapping
        Methods by name, each with the options that it is run with, one after the other; by
        default all methods with their own.
    settings : callable, optional
        Called with the names of a budget and a protocol for what
        :class:`hashret.deep.DeepHasher` is given; by default
        :func:`~hashret.experiments.benchmark.training.training_settings` of the method.
    axes : bool
        Whether runs are judged on two axes, by :mod:`~hashret.experiments.benchmark.axes`.
    quick : mapping
        What :func:`~hashret.experiments.benchmark.runs.list_runs` is asked for a first look that
        takes seconds and needs no data; empty where there is none.
    datasets : mapping
        By name of a data set, what is otherwise for its protocols: fields of this class.
    """

    dataset: str
    protocols: tuple[str, ...]
    bits: tuple[int, ...]
    features: str
    from_images: bool = True
    classes: int = 10
    variants: Mapping[str, Sequence[Options]] = field(default_factory=dict)
    settings: Callable[[str, str], dict[str, Any]] | None = None
    axes: bool = False
    quick: Mapping[str, Any] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, dataset: str | None) -> Suite:
        """Return the suite as it is for a data set."""
        return replace(self, **self.datasets.get(dataset or self.dataset, {}))


# Protocols that fit any data set.
_ANY = ("held-out", "unseen")
_CIFAR10 = ("cifar10-full", "cifar10-59k", "cifar10-54k", "cifar10-semi", "cifar10-unsup")

# Data sets with two levels of labels, and one without a second, of which copies are asked.
_TWO_AXES = ("cifar100-coarse", "cifar10-nouns", "grocery", "fmnist-copies", "two-levels")

SUITES = {
    "fashion-mnist": Suite(
        dataset="fashion-mnist",
        protocols=("fmnist-full", "fmnist-seed", *_ANY, "fmnist-sample"),
        bits=(16, 48),
        features="hog",
    ),
    "cifar10": Suite(
        dataset="cifar10",
        protocols=(*_CIFAR10, *_ANY),
        bits=(16, 32, 48, 64),
        features="lite0",
        from_images=False,
    ),
    "two-axis": Suite(
        dataset="cifar100-coarse",
        protocols=tuple(
            f"{name}{kind}"
            for kind in ("", "-unseen", "-held-out")
            for name in (*_TWO_AXES, "drawn-shapes")
        ),
        bits=(64,),
        features="lite0",
        from_images=False,
        classes=20,
        variants={name: ({},) for name in (*METHODS, *TWO_PARTS)},
        axes=True,
        quick={
            "protocols": ["drawn-shapes", "drawn-shapes-unseen"],
            "methods": ["knn-cosine", "itq", "hashnet", "prism"],
            "bits": [16],
            "network": "linear",
            "budget": "smoke",
        },
        datasets={
            "cifar10-nouns": {"classes": 10},
            "grocery": {"classes": 43},
            "fashion-mnist": {"classes": 10, "features": "hog", "from_images": True},
            "drawn-shapes": {"classes": 6, "features": "hog"},
        },
    ),
}


def suite_of(name: str | Suite) -> Suite:
    """Return one of :data:`SUITES`, or what is a suite already."""
    return name if isinstance(name, Suite) else SUITES[choose("suite", [name], SUITES)[0]]


def choose(argument: str, given: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return names as they are known, each once.

    Raises
    ------
    ParameterError
        If one is unknown, in any case.

    Examples
    --------
    >>> choose("only", ["dsh", "LSH", "DSH"], ["LSH", "DSH"])
    ['DSH', 'LSH']
    """
    by_lower = {name.lower(): name for name in known}
    for name in given:
        if name.lower() not in by_lower:
            words = ", ".join(by_lower.values())
            raise ParameterError(f"{argument}: expected one of {words}, got {name!r}")
    return list(dict.fromkeys(by_lower[name.lower()] for name in given))
