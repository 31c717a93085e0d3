"""What a loss is, and the registry that finds one by name."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from ...errors import DTypeError, ParameterError, TrainingError

__all__ = ["Loss", "loss_names", "make_loss", "register"]


class Loss(nn.Module, ABC):
    """Base class of the losses: a scalar from a batch of outputs and labels.

    A loss is one class in one file. Its constructor takes hyper-parameters only
    and keeps each in an attribute of the same name, so that it can be written
    to a file; :meth:`setup` then makes what depends on the data. A loss may own
    parameters (they are trained with the network) and buffers (both are kept
    in checkpoints), and may say how bits are read from the outputs.

    Attributes
    ----------
    name : str
        Its name in the registry, given by :func:`register`.
    batch_norm : bool
        Whether the hash layer is linear without bias, then batch normalisation.
    target : {"labels", "features", "both", "nothing"}
        What it learns from: the classes of the images, a feature vector of each, both,
        or the images alone.
    views : int
        Random views of each image in a batch.
    strong_views : int
        How many of them, the last ones, are distorted strongly.
    wraps : bool
        Whether it adds something to another loss, its first argument.
    unlabelled : bool
        Whether it takes images without labels too; one that does not never sees them.
    by_image : bool
        Whether its value is the mean of those that each image has alone.
    bits, classes : int
        Set by :meth:`setup`.
    """

    name: ClassVar[str]
    wraps: ClassVar[bool] = False
    # A loss that wraps another sets these in each instance.
    batch_norm: bool = False
    target: str = "labels"
    views: int = 1
    strong_views: int = 0
    unlabelled: bool = False
    by_image: bool = False
    bits: int
    classes: int

    def __init__(self) -> None:
        # nn.Module takes any arguments; a loss without options has none.
        super().__init__()

    def setup(self, bits: int, classes: int) -> None:
        """Prepare for codes of `bits` bits and `classes` classes, before training.

        Without labels `classes` is 0.

        Random draws here come from torch's global generator, which the
        training seeds.
        """
        self.bits = bits
        self.classes = classes

    @property
    def outputs(self) -> int:
        """Width of the hash layer; one output a bit unless a loss says otherwise."""
        return self.bits

    def prepare(self, targets: Tensor) -> Tensor:
        """Return what batches take their rows from, once before the first step.

        Here a loss may look at the targets of all images, refuse them, or put something
        computed from them in their place. It runs again when a training is resumed, with
        torch's global generator as it was.

        Parameters
        ----------
        targets : Tensor
            As in `forward`, of all images, on the CPU.
        """
        return targets

    def start_epoch(self, done: float) -> None:
        """Prepare for the epoch that begins when `done` of the training is over, 0 to 1.

        What is set here follows from `done` alone, as in :meth:`start_step`.
        """

    def epoch_order(self, targets: Tensor) -> Tensor:
        """Return the row numbers of one epoch in the order in which batches take them.

        Parameters
        ----------
        targets : Tensor
            As in `forward`, of all images, on the CPU.
        """
        return torch.randperm(len(targets))

    def start_step(self, step: int) -> None:
        """Prepare for the step before which `step` steps were taken, counted over all epochs.

        What is set here follows from `step` alone, so that a resumed training needs
        no more than the number.
        """

    def end_training(self) -> None:
        """Drop what only training needs; what is left has the shapes that `setup` gave it."""

    @abstractmethod
    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar.

        Parameters
        ----------
        outputs : Tensor of float32, shape (views * n, self.outputs)
            The first view of every image, then the second of every image, and so on.
        targets : Tensor, shape (views * n, ...)
            By `target`: class numbers from 0, int64 (views * n,), or -1 for an image
            without label; where images may have several labels, 1 for each class that one
            has and 0 elsewhere, float32 (views * n, classes), or a row of -1; feature
            vectors, float32 (views * n, d); both, the table first, float32
            (views * n, classes + d); or empty rows, float32 (views * n, 0).
        """

    def margins(self, outputs: Tensor) -> Tensor:
        """Return what the bits are thresholds of, shape (n, bits): 1 where > 0."""
        return outputs

    def options(self) -> dict[str, Any]:
        """Return the hyper-parameters, as the constructor takes them."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}


_REGISTRY: dict[str, type[Loss]] = {}
LossType = TypeVar("LossType", bound=Loss)


def register(name: str) -> Callable[[type[LossType]], type[LossType]]:
    """Class decorator: make a loss known by `name`."""

    def enter(cls: type[LossType]) -> type[LossType]:
        if name in _REGISTRY:
            raise ParameterError(f"name: a loss called {name!r} is registered already")
        cls.name = name
        _REGISTRY[name] = cls
        return cls

    return enter


def loss_names() -> list[str]:
    """Return the names of all registered losses that stand alone, sorted."""
    return sorted(name for name, loss in _REGISTRY.items() if not loss.wraps)


def make_loss(name: str, **options: Any) -> Loss:
    """Return a new loss by name.

    Raises
    ------
    ParameterError
        If no loss has this name, or it does not take one of the options.

    Examples
    --------
    >>> make_loss("dsh", alpha=0.005).options()
    {'alpha': 0.005, 'margin': None, 'pairs': 'all', 'weights': 'uniform'}
    """
    if not isinstance(name, str):
        raise DTypeError(f"loss: expected a name or a Loss, got {type(name).__name__}")
    if name not in _REGISTRY:
        raise ParameterError(f"loss: expected one of {', '.join(sorted(_REGISTRY))}, got {name!r}")
    known = inspect.signature(_REGISTRY[name]).parameters
    for option in options:
        if option not in known:
            raise ParameterError(
                f"{option}: the loss {name!r} takes {', '.join(known) or 'no options'}"
            )
    return _REGISTRY[name](**options)


def check_pairs(outputs: Tensor, labels: Tensor) -> None:
    """Raise unless there are labels for each of at least two outputs."""
    if outputs.ndim != 2 or labels.ndim not in (1, 2) or len(labels) != len(outputs):
        raise TrainingError(
            "labels: expected one for each row of the outputs, "
            f"got {tuple(labels.shape)} for {tuple(outputs.shape)}"
        )
    if len(outputs) < 2:
        raise TrainingError(f"outputs: a loss of pairs needs 2 rows, got {len(outputs)}")
