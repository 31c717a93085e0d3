"""What a model takes, checked and made tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...checks import as_pixels, check_pictures
from ...errors import CodeError, DTypeError, ShapeError

__all__ = ["as_images", "as_inputs", "as_vectors"]


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


def as_vectors(vectors: npt.ArrayLike, name: str, count: int) -> Tensor:
    """Return feature vectors of images as float32, shape (count, d); errors call them `name`."""
    array = np.asarray(vectors)
    if array.dtype.kind not in "iuf":
        raise DTypeError(f"{name}: expected real numbers, got {array.dtype}")
    if array.ndim != 2 or len(array) != count or array.shape[1] == 0:
        raise ShapeError(f"{name}: expected ({count}, d), one row an image, got {array.shape}")
    # Values too large for float32 become infinity, which is refused below.
    with np.errstate(over="ignore"):
        values = np.require(array, np.float32, "C")
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        raise CodeError(f"{name}: NaN or infinity in row {np.argmin(finite)}")
    return _shared(values)
