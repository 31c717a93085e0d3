"""What a loss is."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

__all__ = ["Loss"]


class Loss(nn.Module, ABC):
    """Base class of the losses: a scalar from a batch of outputs and labels.

    A loss is one class in one file. Its constructor takes hyper-parameters only
    and keeps each in an attribute of the same name, so that it can be written
    to a file; :meth:`setup` then makes what depends on the data. A loss may own
    parameters (they are trained with the network) and buffers (both are kept
    in checkpoints), and may say how bits are read from the outputs.

    A loss that has to know which images it is given declares one more parameter, `rows`, of
    :meth:`forward` and of :meth:`epoch_order`; one that has not leaves it out.

    Attributes
    ----------
    name : str
        Its name in the registry, given by :func:`~hashret.deep.register`.
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

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in ("forward", "epoch_order"):
            method = getattr(cls, name)
            # What was wrapped for a base class has the parameter.
            if "rows" not in inspect.signature(method, follow_wrapped=False).parameters:
                setattr(cls, name, _without_rows(method))

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

    def epoch_order(self, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the row numbers of one epoch in the order in which batches take them.

        Parameters
        ----------
        targets : Tensor
            As in `forward`, of all images, or of those that a loss around this one chose; on
            the CPU.
        rows : Tensor of int64, shape (n,), optional
            Which of all images those are; by default all, one after another.
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
        rows : Tensor of int64, shape (views * n,), optional
            Where the method declares it: which of the images that :meth:`prepare` was given
            they are, on the device of the outputs; None where the loss is called outside of
            a training.
        """

    def margins(self, outputs: Tensor) -> Tensor:
        """Return what the bits are thresholds of, shape (n, bits): 1 where > 0."""
        return outputs

    def options(self) -> dict[str, Any]:
        """Return the hyper-parameters, as the constructor takes them."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}


def _without_rows(method: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a method that takes the numbers of the rows and does without them."""

    @wraps(method)
    def call(self: Loss, *given: Tensor, rows: Tensor | None = None) -> Tensor:
        return method(self, *given)

    return call
