"""Histograms of oriented gradients (Dalal and Triggs, CVPR 2005), by scikit-image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..checks import as_pixels, check_int, check_pictures
from ..errors import CodeError, DTypeError, ParameterError, ShapeError
from ..extras import import_extra

_PROGRESS_STEP = 500


def hog(
    images: npt.ArrayLike,
    orientations: int = 9,
    cell: tuple[int, int] = (7, 7),
    block: tuple[int, int] = (2, 2),
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Describe images by their gradient orientations, cell by cell.

    The defaults give 324 values for 28x28 images: 3x3 blocks of 2x2 cells of 9 orientations,
    L2-Hys normalised. Of colour images each pixel's strongest channel counts. Images are described
    one by one: features do not depend on the batch, and images in a mapped file stay there.

    Parameters
    ----------
    images : array_like, shape (n, height, width) or (n, height, width, 1 or 3)
        uint8 or real; one image alone is given as ``images[None]``.
    orientations : int
        Bins of the half circle.
    cell : (height, width)
        Pixels of a cell.
    block : (height, width)
        Cells of a block; blocks overlap by all but one cell.
    progress : callable, optional
        Called as ``progress(images_done, images_total)``.

    Returns
    -------
    features : ndarray of float32, shape (n, d)

    Raises
    ------
    ShapeError
        If `images` has another shape, is one image, or is smaller than one block.
    DTypeError
        If `images` holds no real numbers.
    CodeError
        If a pixel is NaN or infinite.
    ParameterError
        If `orientations`, `cell` or `block` is not positive.

    Examples
    --------
    >>> hog(np.zeros((2, 28, 28), np.uint8)).shape
    (2, 324)
    """
    pixels = _as_images(images)
    rows, columns = _blocks(pixels.shape[1:3], orientations, cell, block)
    describe = import_extra("skimage.feature", "images").hog
    features = np.empty((len(pixels), rows * columns * block[0] * block[1] * orientations), "f4")
    for row, image in enumerate(pixels):
        features[row] = describe(
            image,
            orientations,
            pixels_per_cell=cell,
            cells_per_block=block,
            block_norm="L2-Hys",
            channel_axis=-1 if pixels.ndim == 4 else None,
        )
        done = row + 1
        if progress is not None and (done % _PROGRESS_STEP == 0 or done == len(pixels)):
            progress(done, len(pixels))
    return features


def _as_images(images: npt.ArrayLike) -> npt.NDArray[np.generic]:
    array = check_pictures(as_pixels(images))
    if array.dtype.kind not in "uif":
        raise DTypeError(f"images: expected uint8 or real numbers, got {array.dtype}")
    for number, image in enumerate(array if array.dtype.kind == "f" else ()):
        if not np.isfinite(image).all():
            raise CodeError(f"images: NaN or infinite pixel in image {number}")
    return array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array


def _blocks(
    size: tuple[int, ...], orientations: int, cell: tuple[int, int], block: tuple[int, int]
) -> tuple[int, int]:
    for name, value in (("cell", cell), ("block", block)):
        if np.shape(value) != (2,):
            raise ParameterError(f"{name}: expected (height, width), got {value!r}")
        for side in value:
            check_int(name, side, 1)
    check_int("orientations", orientations, 1)
    rows, columns = (size[axis] // cell[axis] - block[axis] + 1 for axis in (0, 1))
    if rows < 1 or columns < 1:
        needed = (cell[0] * block[0], cell[1] * block[1])
        raise ShapeError(f"images: expected at least {needed} pixels for one block, got {size}")
    return rows, columns
