"""What a training learns from, checked and made tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...errors import ParameterError
from ...evaluation.labels import Labels, parse_labels
from ..losses import Loss
from ..losses.labels import has_label
from ..model.inputs import as_vectors
from .settings import Settings
from .validation import HeldOut

__all__ = ["Examples", "as_labels"]


def _no_classes() -> npt.NDArray[Any]:
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class Examples:
    """Images or vectors and what a loss learns of them, row by row, on the CPU.

    Attributes
    ----------
    inputs : Tensor
        Images, uint8 (n, height, width, channels), or vectors, float32 (n, d).
    targets : Tensor, shape (n, ...)
        What the loss learns from; see :class:`~hashret.deep.losses.Loss`.
    classes : ndarray
        The distinct labels, sorted; empty if the loss learns without labels.
    held_out : HeldOut, optional
        Images that are not among these, which score every epoch.
    """

    inputs: Tensor
    targets: Tensor
    classes: npt.NDArray[Any] = field(default_factory=_no_classes)
    held_out: HeldOut | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    @classmethod
    def of(
        cls,
        loss: Loss,
        inputs: Tensor,
        labels: npt.ArrayLike | None,
        features: npt.ArrayLike | None,
        settings: Settings,
    ) -> Self:
        """Return what `loss` learns from, or raise if that was not given; see `DeepHasher.fit`."""
        learned = loss.target in ("labels", "both")
        if learned and labels is None:
            raise ParameterError("labels: the loss learns from the classes of images, got None")
        # A loss that learns without labels ignores bad ones too.
        wanted = labels if learned or settings.validation else None
        classes, truth = (_no_classes(), None)
        if wanted is not None:
            classes, truth = as_labels(wanted, len(inputs))
        if features is None and inputs.ndim == 2:
            features = inputs.numpy()
        targets = _targets(loss, truth, len(classes), features, len(inputs))
        held_out = None
        if settings.validation:
            if truth is None:
                raise ParameterError("labels: validation scores held-out images by them, got None")
            held_out, rest = HeldOut.draw(inputs, truth, settings.validation, settings.seed)
            inputs, targets = inputs[rest], targets[rest]
        if loss.target == "labels" and not loss.unlabelled and not has_label(targets).all():
            known = has_label(targets)
            inputs, targets = inputs[known], targets[known]
        return cls(inputs, targets, classes if learned else _no_classes(), held_out)


def _targets(
    loss: Loss,
    truth: Tensor | None,
    classes: int,
    features: npt.ArrayLike | None,
    count: int,
) -> Tensor:
    """Return a row for each of `count` images of what `loss` learns from."""
    if truth is not None and loss.target == "labels":
        return truth
    if truth is not None and loss.target == "both":
        return torch.cat([_as_rows(truth, classes), _as_features(features, count)], 1)
    if count < 2:
        raise ParameterError(f"images: expected at least two, got {count}")
    return torch.empty(count, 0) if loss.target == "nothing" else _as_features(features, count)


def _as_features(features: npt.ArrayLike | None, count: int) -> Tensor:
    if features is None:
        raise ParameterError("features: the loss learns from a vector of each image, got None")
    return as_vectors(features, "features", count)


def _as_rows(numbers: Tensor, classes: int) -> Tensor:
    """Return labels as a table of 0 and 1 with rows of -1 where they are missing, float32."""
    if numbers.ndim == 2:
        return numbers
    table = torch.zeros(len(numbers), classes)
    table.scatter_(1, numbers.clamp(min=0)[:, None], 1.0)
    table[numbers < 0] = -1
    return table


def as_labels(labels: npt.ArrayLike, count: int) -> tuple[npt.NDArray[Any], Tensor]:
    """Return the classes, and what images are of: as losses take it, see `Loss.forward`.

    The numbers of the images' classes, -1 where missing; or the table of 0 and 1, float32, with
    rows of -1 where they are missing.
    """
    given = parse_labels(labels, "labels", count)
    if given.values.ndim == 2:
        return _as_table(given)
    classes = given.classes()
    numbers = given.numbered(classes)
    if len(classes) < 2:
        found = f"{len(classes)}" + ("" if given.known.all() else " beside missing labels")
        raise ParameterError(f"labels: expected at least two classes, got {found}")
    _check_sizes(np.bincount(numbers[given.known]))
    return np.array(classes, given.dtype), torch.from_numpy(numbers)


def _as_table(given: Labels) -> tuple[npt.NDArray[Any], Tensor]:
    bare = given.known & ~given.values.any(axis=1)
    if bare.any():
        raise ParameterError(
            f"labels: row {np.argmax(bare)} names no class; -1 says that its labels are missing"
        )
    sizes = given.values.sum(axis=0)
    if (sizes > 0).sum() < 2:
        raise ParameterError("labels: expected at least two classes, got fewer")
    _check_sizes(sizes)
    table = np.where(given.known[:, None], given.values, -1).astype(np.float32)
    return np.arange(table.shape[1]), torch.from_numpy(table)


def _check_sizes(sizes: npt.NDArray[np.int64]) -> None:
    if sizes.max() < 2:
        raise ParameterError("labels: no two images share a class, so that nothing is similar")
