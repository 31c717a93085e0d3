"""What training takes, checked and made tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..checks import as_pixels, check_pictures
from ..errors import CodeError, DTypeError, ParameterError, ShapeError
from .losses import Loss
from .losses.labels import has_label

__all__ = ["as_images", "as_inputs", "as_labels", "as_targets", "as_vectors", "without_unlabelled"]


def as_inputs(images: npt.ArrayLike) -> Tensor:
    """Return images as :func:`as_images` does, or real vectors (n, d) as :func:`as_vectors`.

    Two dimensions of uint8 are refused: that is one image, not a row of vectors.
    """
    array = as_pixels(images)
    if array.ndim == 2 and array.dtype != np.uint8:
        return as_vectors(array, "images", len(array))
    return as_images(array)


def as_images(array: npt.NDArray[Any]) -> Tensor:
    """Return images as a tensor of uint8, shape (n, height, width, channels)."""
    check_pictures(array, expected=", or real vectors (n, d)")
    if array.dtype != np.uint8:
        raise DTypeError(f"images: expected uint8, got {array.dtype} {array.shape}")
    # torch warns about memory that it may not write to.
    array = np.require(array if array.ndim == 4 else array[..., None], requirements=["C", "W"])
    return torch.from_numpy(array)


def as_labels(labels: npt.ArrayLike, count: int) -> tuple[npt.NDArray[Any], Tensor]:
    """Return the distinct labels, and for each image the number of its own, or -1."""
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] > 1:
        return _as_table(array, count)
    if array.shape != (count,):
        raise ShapeError(
            f"labels: expected ({count},), one an image, or ({count}, classes) of 0 and 1, "
            f"got {array.shape}"
        )
    missing = array == -1 if array.dtype.kind == "i" else np.zeros(count, bool)
    if array.dtype.kind == "O":
        missing = np.array([label is None for label in array], bool)
        if not all(isinstance(label, str) for label in array[~missing]):
            raise DTypeError("labels: expected integers, or strings and None, got other objects")
        array = np.where(missing, "", array).astype(np.str_)
    if array.dtype.kind not in "iubU":
        raise DTypeError(f"labels: expected integers or strings, got {array.dtype}")
    classes, own, sizes = np.unique(array[~missing], return_inverse=True, return_counts=True)
    if len(classes) < 2:
        found = f"{len(classes)} beside missing labels" if missing.any() else f"{len(classes)}"
        raise ParameterError(f"labels: expected at least two classes, got {found}")
    if sizes.max() < 2:
        raise ParameterError("labels: no two images share a class, so that nothing is similar")
    numbers = np.full(count, -1, np.int64)
    numbers[~missing] = own
    return classes, torch.from_numpy(numbers)


def _as_table(table: npt.NDArray[Any], count: int) -> tuple[npt.NDArray[Any], Tensor]:
    """Return the column numbers, and the table of 0 and 1, or rows of -1, as float32."""
    if len(table) != count:
        raise ShapeError(
            f"labels: expected ({count}, classes), one row an image, got {table.shape}"
        )
    if table.dtype.kind not in "iubf":
        raise DTypeError(f"labels: expected a table of 0 and 1, got {table.dtype}")
    missing = (table == -1).all(axis=1)
    known = table[~missing]
    if not np.isin(known, (0, 1)).all():
        raise ParameterError(
            "labels: expected 0 and 1 in a table, or -1 in a whole row where labels are missing"
        )
    bare = ~missing & (table == 0).all(axis=1)
    if bare.any():
        raise ParameterError(
            f"labels: row {np.argmax(bare)} names no class; -1 says that its labels are missing"
        )
    sizes = known.sum(axis=0)
    if (sizes > 0).sum() < 2:
        raise ParameterError("labels: expected at least two classes, got fewer")
    if sizes.max() < 2:
        raise ParameterError("labels: no two images share a class, so that nothing is similar")
    return np.arange(table.shape[1]), torch.from_numpy(table.astype(np.float32))


def as_vectors(vectors: npt.ArrayLike, name: str, count: int) -> Tensor:
    """Return feature vectors of images as float32, shape (count, d); errors call them `name`."""
    array = np.asarray(vectors)
    if array.dtype.kind not in "iuf":
        raise DTypeError(f"{name}: expected real numbers, got {array.dtype}")
    if array.ndim != 2 or len(array) != count or array.shape[1] == 0:
        raise ShapeError(f"{name}: expected ({count}, d), one row an image, got {array.shape}")
    # Overflow becomes infinity, which is refused next.
    with np.errstate(over="ignore"):
        values = np.require(array, np.float32, ["C", "W"])
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        raise CodeError(f"{name}: NaN or infinity in row {np.argmin(finite)}")
    return torch.from_numpy(values)


def as_targets(
    loss: Loss, labels: npt.ArrayLike | None, features: npt.ArrayLike | None, count: int
) -> tuple[npt.NDArray[Any], Tensor]:
    """Return the classes, and a row for each of `count` images of what `loss` learns from."""
    if loss.target in ("labels", "both"):
        if labels is None:
            raise ParameterError("labels: the loss learns from the classes of images, got None")
        classes, numbers = as_labels(labels, count)
        if loss.target == "labels":
            return classes, numbers
        table = _as_rows(numbers, len(classes))
        return classes, torch.cat([table, _as_features(features, count)], 1)
    if count < 2:
        raise ParameterError(f"images: expected at least two, got {count}")
    if loss.target == "nothing":
        return np.empty(0, np.int64), torch.empty(count, 0)
    return np.empty(0, np.int64), _as_features(features, count)


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


def without_unlabelled(loss: Loss, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Leave out the images whose labels are missing, unless `loss` takes them."""
    if loss.target != "labels" or loss.unlabelled:
        return inputs, targets
    known = has_label(targets)
    return (inputs, targets) if known.all() else (inputs[known], targets[known])
