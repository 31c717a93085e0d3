"""What is measured: the runs that methods, lengths of codes, protocols and seeds make."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ... import __version__
from ...checks import check_int
from ...codes import check_bits
from ...errors import ParameterError
from ...evaluation.protocols import protocol
from ...extras import import_extra
from ...methods import Classic, Deep, Exact, Options, TwoPart, learns_from, method, method_names
from .inputs import check_features
from .suites import Suite, choose, suite_of
from .training import training_settings

__all__ = ["HEADS", "Run", "list_runs"]


# Networks over feature vectors; the others take images.
HEADS = ("linear", "mlp")


@dataclass(frozen=True)
class Run:
    """All that decides a result, short of the machine.

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
        all, if it is not ``epochs``, and ``teacher``, the vectors that a loss on images learns
        from.
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
        parts = [
            self.method,
            f"{self.tables} tables" if (self.tables or 1) > 1 else "",
            "" if self.alpha is None else f"alpha {self.alpha}",
            "" if self.bits is None else f"{self.bits} bits",
            " on ".join(part for part in (self.network, self.features) if part),
            f"seed {self.seed}",
        ]
        return f"{', '.join(part for part in parts if part)} ({self.protocol})"

    @property
    def key(self) -> str:
        """A name for its files, which differs where anything does."""
        text = json.dumps(self.fields(), sort_keys=True)
        return f"{self.method}-{self.bits}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def fields(self) -> dict[str, Any]:
        """Return all of it as JSON reads it back: a tuple is a list."""
        fields: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return fields


def list_runs(
    suite: str | Suite,
    methods: Sequence[str] | None = None,
    bits: Sequence[int] | None = None,
    seeds: int = 1,
    protocols: Sequence[str] | None = None,
    budget: str = "zoo",
    network: str | None = None,
    features: str | None = None,
    device: str = "auto",
    first_seed: int = 0,
    changes: Mapping[str, Any] | None = None,
) -> list[Run]:
    """Return the runs of a benchmark.

    Methods that learn from labels are left out of a protocol without labels, unless named, which
    is an error.

    Parameters
    ----------
    suite : str or Suite
        Or the name of one of :data:`~.suites.SUITES`.
    methods : sequence of str, optional
        Of :func:`~.methods.method_names`, all by default.
    bits : sequence of int, optional
        By default the suite's.
    seeds : int
        How many, from `first_seed` on. What nothing random enters is measured once.
    protocols : sequence of str, optional
        By default the suite's first.
    budget : str
        Of :data:`~.training.BUDGETS`.
    network : str, optional
        For deep methods: "linear" and "mlp" take the features, others images. By default
        "small-cnn" for Fashion-MNIST, and "mlp" for CIFAR-10 or where features are named.
    features : str, optional
        Vectors in place of images for all methods: "hog", "lite0", or an ``.npz`` file with
        arrays ``train`` and ``test``.
    device : str
        "auto", or a device as torch names it.
    first_seed : int
    changes : mapping, optional
        Options of the losses and encoders, or of :class:`hashret.deep.DeepHasher`, in place of
        those that :mod:`~.training` gives, ``images`` among them: for trials of settings.

    Raises
    ------
    ParameterError
        If a name, a number of bits or of seeds is not one that there is.

    Examples
    --------
    >>> [run.bits for run in list_runs("fashion-mnist", ["knn", "itq"], seeds=2)]
    [None, 16, 48, 16, 48]
    """
    chosen = suite_of(suite)
    lengths = sorted({check_bits(number) for number in bits or chosen.bits})
    check_int("seeds", seeds, 1)
    named = choose("protocol", protocols or chosen.protocols[:1], chosen.protocols)
    if features is not None:
        check_features(features)
    if network is not None:
        names = import_extra("hashret.deep", "torch").network_names()
        (network,) = choose("network", [network], names if features is None else HEADS)
    asked = _Asked(chosen, lengths, budget, network, features, device, dict(changes or {}))
    runs = [
        run
        for name in named
        for of in _methods(name, methods or list(chosen.variants), bool(methods))
        for seed in range(seeds if method(of).seeded or protocol(name).drawn else 1)
        for run in asked.runs(of, name, first_seed + seed)
    ]
    if not runs:
        raise ParameterError("methods: none is fit for the protocol")
    return runs


def _methods(protocol_name: str, given: Sequence[str], by_user: bool) -> list[str]:
    names = list(dict.fromkeys(name.lower() for name in given or method_names()))
    if protocol(protocol_name).labels_in_training:
        return names
    supervised = [name for name in names if method(name).supervised]
    if by_user and supervised:
        raise ParameterError(
            f"methods: protocol {protocol_name} trains without labels, "
            f"{supervised[0]!r} learns from them"
        )
    return [name for name in names if name not in supervised]


@dataclass(frozen=True)
class _Asked:
    """What is asked of every method."""

    suite: Suite
    lengths: Sequence[int]
    budget: str
    network: str | None
    features: str | None
    device: str
    changes: Options

    def runs(self, name: str, protocol_name: str, seed: int) -> Iterator[Run]:
        """Yield a method's runs of one seed under one protocol, a run a variant and length."""
        asked = replace(self, suite=self.suite.of(protocol(protocol_name).dataset))
        entry, vectors = method(name), self.features or asked.suite.features
        own: dict[str, Any] = {"method": name, "protocol": protocol_name, "seed": seed}
        own |= {"dataset": protocol(protocol_name).dataset or self.suite.dataset}
        own |= dict.fromkeys(("bits", "tables", "alpha", "network", "budget", "device"))
        for variant in self.suite.variants.get(name, ({},)):
            lengths: Sequence[int | None] = self.lengths
            facts: dict[str, Any] = {"features": vectors}
            if isinstance(entry, Exact):
                lengths = (None,)
            elif isinstance(entry, Classic):
                options = {**entry.options, **variant}
                options |= {k: value for k, value in self.changes.items() if k in options}
                facts |= {"options": options, "tables": options.get("tables")}
            else:
                lengths = (asked.suite.classes,) if entry.bit_a_class else self.lengths
                facts = asked._trained(name, entry, variant, protocol_name)
            for bits in lengths:
                yield Run(**own | facts | {"bits": bits})

    def _trained(
        self, name: str, entry: Deep, variant: Options, protocol_name: str
    ) -> dict[str, Any]:
        """Return the fields that say how a network is trained, on images or on vectors."""
        suite = self.suite
        images = suite.from_images if self.network is None else self.network not in HEADS
        features = self.features if images else self.features or suite.features
        vectors = features is not None
        network = self.network or ("mlp" if vectors else "small-cnn")
        if suite.settings:
            settings = suite.settings(self.budget, protocol_name)
        else:
            settings = training_settings(name, suite.dataset, network, self.budget, vectors)
        options = {**entry.options, **variant}
        own = {
            key: self.changes[key] for key in entry.make(options).options().keys() & self.changes
        }
        residual = dict(entry.residual) if isinstance(entry, TwoPart) else {}
        residual |= {key: self.changes[key] for key in residual.keys() & self.changes}
        rest = self.changes.keys() - own.keys() - residual.keys()
        settings |= _checked({key: self.changes[key] for key in rest})
        loss = entry.make({**options, **own})
        if learns_from("features", loss) and not vectors:
            settings["teacher"] = suite.features
        options = loss.options() | ({"residual": residual} if residual else {})
        return {
            "network": network,
            "budget": self.budget,
            "device": _device(self.device),
            "features": features,
            "alpha": options.get("alpha"),
            "options": options,
            "settings": settings,
        }


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings of a training, or raise where there is no such."""
    hasher = import_extra("hashret.deep", "torch").DeepHasher
    known = inspect.signature(hasher).parameters.keys() | {"images"}
    known -= {"network", "loss", "bits", "device", "random_state", "progress"}
    for name in settings:
        if name not in known:
            raise ParameterError(
                f"changes: expected an option of the loss, or one of {', '.join(sorted(known))}, "
                f"got {name!r}"
            )
    return settings


def _device(name: str) -> str:
    if name != "auto":
        return name
    torch: Any = import_extra("torch", "torch")
    return "cuda" if torch.cuda.is_available() else "cpu"
