"""What training takes, checked and made tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..errors import CodeError, DTypeError, ParameterError, ShapeError
from .losses import Loss

__all__ = ["as_images", "as_targets"]


def as_images(images: npt.ArrayLike) -> Tensor:
    """Return images as a tensor of uint8, shape (n, height, width, channels)."""
    array = np.asarray(images)
    if array.dtype != np.uint8:
        raise DTypeError(f"images: expected uint8, got {array.dtype} {array.shape}")
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] not in (1, 3) or 0 in array.shape[1:]:
        raise ShapeError(
            "images: expected (n, height, width) or (n, height, width, 3), "
            f"got {np.asarray(images).shape}"
        )
    # torch warns about memory that it may not write to.
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _as_labels(labels: npt.ArrayLike, count: int) -> tuple[npt.NDArray[Any], Tensor]:
    """Return the distinct labels, and for each image the number of its own."""
    array = np.asarray(labels)
    if array.shape != (count,):
        raise ShapeError(f"labels: expected ({count},), one an image, got {array.shape}")
    if array.dtype.kind not in "iubU":
        raise DTypeError(f"labels: expected integers or strings, got {array.dtype}")
    classes, numbers, sizes = np.unique(array, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise ParameterError(f"labels: expected at least two classes, got {len(classes)}")
    if sizes.max() < 2:
        raise ParameterError("labels: no two images share a class, so that nothing is similar")
    return classes, torch.from_numpy(numbers.astype(np.int64))


def _as_features(features: npt.ArrayLike, count: int) -> Tensor:
    """Return feature vectors of images as float32, shape (count, d)."""
    array = np.asarray(features)
    if array.dtype.kind not in "iuf":
        raise DTypeError(f"features: expected real numbers, got {array.dtype}")
    if array.ndim != 2 or len(array) != count or array.shape[1] == 0:
        raise ShapeError(f"features: expected ({count}, d), one row an image, got {array.shape}")
    # Overflow becomes infinity, which is refused next.
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        raise CodeError(f"features: NaN or infinity in row {np.argmin(finite)}")
    return torch.from_numpy(values)


def as_targets(
    loss: Loss, labels: npt.ArrayLike | None, features: npt.ArrayLike | None, count: int
) -> tuple[npt.NDArray[Any], Tensor]:
    """Return the classes, and a row for each of `count` images of what `loss` learns from."""
    if loss.target == "labels":
        if labels is None:
            raise ParameterError("labels: the loss learns from the classes of images, got None")
        return _as_labels(labels, count)
    if count < 2:
        raise ParameterError(f"images: expected at least two, got {count}")
    if loss.target == "nothing":
        return np.empty(0, np.int64), torch.empty(count, 0)
    if features is None:
        raise ParameterError("features: the loss learns from a vector of each image, got None")
    return np.empty(0, np.int64), _as_features(features, count)
