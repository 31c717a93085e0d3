"""What training takes, checked and made tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..checks import as_pixels, check_pictures
from ..errors import CodeError, DTypeError, ParameterError, ShapeError
from ..evaluation.labels import Labels, parse_labels
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
    if array.ndim == 3:
        array = array[..., None]
    return _shared(np.require(array, requirements="C"))


class _Readable:
    """Memory that is only read, shown as if it could be written: torch knows no other kind."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self._array = array  # must live as long as what is made of it
        interface = array.__array_interface__
        self.__array_interface__ = interface | {"data": (interface["data"][0], False)}


def _shared(array: npt.NDArray[Any]) -> Tensor:
    """Return an array's own memory as a tensor, so that a mapped file is not read whole."""
    return torch.from_numpy(array if array.flags.writeable else np.asarray(_Readable(array)))


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


def as_vectors(vectors: npt.ArrayLike, name: str, count: int) -> Tensor:
    """Return feature vectors of images as float32, shape (count, d); errors call them `name`."""
    array = np.asarray(vectors)
    if array.dtype.kind not in "iuf":
        raise DTypeError(f"{name}: expected real numbers, got {array.dtype}")
    if array.ndim != 2 or len(array) != count or array.shape[1] == 0:
        raise ShapeError(f"{name}: expected ({count}, d), one row an image, got {array.shape}")
    # Overflow becomes infinity, which is refused next.
    with np.errstate(over="ignore"):
        values = np.require(array, np.float32, "C")
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        raise CodeError(f"{name}: NaN or infinity in row {np.argmin(finite)}")
    return _shared(values)


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
