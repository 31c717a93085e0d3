"""What a benchmark measures: suites, and the runs that methods, bits and protocols make."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .. import __version__
from ..codes import check_bits
from ..errors import ParameterError, import_extra
from ..evaluation.protocols import protocol
from .material import check_features
from .recipes import Classic, Deep, Exact, budget, learning, method, method_names

__all__ = ["HEADS", "SUITES", "Run", "Suite", "plan"]


# Networks over feature vectors; the others take images.
HEADS = ("linear", "mlp")


@dataclass(frozen=True)
class Suite:
    """A data set's defaults.

    Attributes
    ----------
    protocols : tuple of str
        Those that can be asked for, the default first.
    bits : tuple of int
        Lengths of a code by default.
    features : str
        The vectors of methods that take no images.
    from_images : bool
        Whether deep methods train a network on images unless features are given.
    """

    protocols: tuple[str, ...]
    bits: tuple[int, ...]
    features: str
    from_images: bool


SUITES = {
    "fashion-mnist": Suite(
        ("fmnist-full", "fmnist-seed", "held-out", "unseen", "fmnist-sample"),
        (16, 48),
        "hog",
        True,
    ),
    "cifar10": Suite(
        (
            "cifar10-full",
            "cifar10-59k",
            "cifar10-54k",
            "cifar10-semi",
            "cifar10-unsup",
            "held-out",
            "unseen",
        ),
        (16, 32, 48, 64),
        "lite0",
        False,
    ),
}


@dataclass(frozen=True)
class Run:
    """What is measured.

    Attributes
    ----------
    method, protocol, dataset : str
    bits : int or None
        None for exact neighbours of vectors.
    tables, alpha : int or float or None
        Of the options, where there are such.
    seed : int
        Of every random draw: the protocol's, the network's first weights, the order of images.
    network, budget, device : str or None
        None where nothing is trained by gradients.
    features : str or None
        What stands in place of the images.
    options, settings : dict
        Of the loss or encoder, and of the training: what DeepHasher takes, ``images`` seen in
        all, and ``teacher``, the vectors that a loss on images learns from.
    """

    method: str
    protocol: str
    bits: int | None
    tables: int | None
    alpha: float | None
    seed: int
    dataset: str
    network: str | None
    features: str | None
    budget: str | None
    device: str | None
    options: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    version: str = __version__

    @property
    def title(self) -> str:
        """All in words."""
        bits = "" if self.bits is None else f", {self.bits} bits"
        how = " on ".join(part for part in (self.network, self.features) if part)
        return f"{self.method}{bits}, {how}, seed {self.seed} ({self.protocol})"

    @property
    def key(self) -> str:
        """A name for its files, which differs where anything does."""
        text = json.dumps(self.fields(), sort_keys=True)
        return f"{self.method}-{self.bits}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def fields(self) -> dict[str, Any]:
        """Return all of it as JSON reads it back: a tuple is a list."""
        fields: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return fields


def plan(
    suite: str,
    methods: Sequence[str] | None = None,
    bits: Sequence[int] | None = None,
    seeds: int = 1,
    protocols: Sequence[str] | None = None,
    budget: str = "zoo",
    network: str | None = None,
    features: str | None = None,
    device: str = "auto",
) -> list[Run]:
    """Return the runs of a benchmark; see :func:`run_benchmark`.

    Methods that learn from labels are left out of a protocol without labels, unless named, which
    is an error.

    Examples
    --------
    >>> [run.bits for run in plan("fashion-mnist", ["knn", "itq"], seeds=2)]
    [None, 16, 48, 16, 48]
    """
    _check("suite", suite, SUITES)
    about = SUITES[suite]
    lengths = sorted({check_bits(number) for number in bits or about.bits})
    if seeds < 1:
        raise ParameterError(f"seeds: expected at least 1, got {seeds}")
    for name in protocols or ():
        _check("protocol", name, about.protocols)
    if features is not None:
        check_features(features)
    if network is not None:
        _check_network(network, features)
    wanted = _Wanted(suite, lengths, budget, network, features, device)
    runs = [
        run
        for place in dict.fromkeys(protocols or about.protocols[:1])
        for name in _methods(place, methods)
        for seed in range(seeds if _is_random(name, place) else 1)
        for run in _runs(name, place, seed, wanted)
    ]
    if not runs:
        raise ParameterError("methods: none is fit for the protocol")
    return runs


def _methods(place: str, given: Sequence[str] | None) -> list[str]:
    names = list(dict.fromkeys(name.lower() for name in given or method_names()))
    if protocol(place).labels_in_training:
        return names
    supervised = [name for name in names if method(name).supervised]
    if given and supervised:
        raise ParameterError(
            f"methods: protocol {place} trains without labels, {supervised[0]!r} learns from them"
        )
    return [name for name in names if name not in supervised]


def _is_random(name: str, place: str) -> bool:
    return method(name).seeded or protocol(place).drawn


@dataclass(frozen=True)
class _Wanted:
    """What is asked of every method."""

    suite: str
    lengths: Sequence[int]
    budget: str
    network: str | None
    features: str | None
    device: str


def _runs(name: str, place: str, seed: int, wanted: _Wanted) -> Iterator[Run]:
    """Yield a method's runs of one seed under one protocol, a run a length of code."""
    entry, about = method(name), SUITES[wanted.suite]
    dataset = protocol(place).dataset or wanted.suite
    own: dict[str, Any] = {"method": name, "protocol": place, "seed": seed, "dataset": dataset}
    own |= {"tables": None, "alpha": None, "network": None, "budget": None, "device": None}
    vectors = wanted.features or about.features
    if isinstance(entry, Exact):
        yield Run(**own, bits=None, features=vectors)
    elif isinstance(entry, Classic):
        own |= {"tables": entry.options.get("tables"), "options": dict(entry.options)}
        for bits in wanted.lengths:
            yield Run(**own, bits=bits, features=vectors)
    else:
        images = about.from_images if wanted.network is None else wanted.network not in HEADS
        inputs = wanted.features if images else vectors
        own |= _training(name, entry, inputs, wanted)
        for bits in [_CLASSES] if entry.bit_a_class else wanted.lengths:
            yield Run(**own, bits=bits, features=inputs)


# Both data sets have ten.
_CLASSES = 10


def _training(name: str, entry: Deep, inputs: str | None, wanted: _Wanted) -> dict[str, Any]:
    """Return the fields of a run that say how a network is trained, on images or on `inputs`."""
    suite, vectors = wanted.suite, inputs is not None
    network = wanted.network or ("mlp" if vectors else "small-cnn")
    options = entry.make().options()
    settings = learning(name, suite, network, wanted.budget, vectors)
    settings["images"] = budget(wanted.budget, suite, network, vectors)
    if entry.taught and not vectors:
        settings["teacher"] = SUITES[suite].features
    return {
        "network": network,
        "budget": wanted.budget,
        "device": _device(wanted.device),
        "alpha": options.get("alpha"),
        "options": options,
        "settings": settings,
    }


def _check_network(name: str, features: str | None) -> None:
    names = import_extra("hashret.deep", "torch").network_names()
    _check("network", name, names if features is None else HEADS)


def _device(name: str) -> str:
    if name != "auto":
        return name
    torch: Any = import_extra("torch", "torch")
    return "cuda" if torch.cuda.is_available() else "cpu"


def _check(argument: str, name: str, known: Sequence[str] | dict[str, Any]) -> None:
    if name not in known:
        raise ParameterError(f"{argument}: expected one of {', '.join(known)}, got {name!r}")
