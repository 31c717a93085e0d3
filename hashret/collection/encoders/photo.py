"""What a photograph shows: features of a network that was trained on ImageNet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...features.lite import lite_model, lite_weights
from ...features.runner import Runner
from ...types import Images
from .features import Vectors, squared

__all__ = ["PhotoFeatures"]


class PhotoFeatures:
    """The mean of EfficientNet-lite's last 1,280 channels, of photographs scaled to a square.

    Parameters
    ----------
    network : {"lite0", "lite1", "lite2"}
    size : int
        Side of the square; the cost grows with its square.

    Raises
    ------
    MissingExtraError
        If onnxruntime, onnx or the weights are not installed.
    """

    def __init__(self, network: str, size: int) -> None:
        self.settings: dict[str, Any] = {"features": "lite", "network": network, "size": size}
        self._size = size
        self._runner = Runner(lite_model(lite_weights(network), network, size))

    def describe(self, pictures: Sequence[Images], /) -> Vectors:
        """Return vectors (n, 1280), none negative."""

        def inputs() -> Iterator[dict[str, npt.NDArray[Any]]]:
            for picture in pictures:
                values = (squared(picture, self._size).astype(np.float32) - 127) / 128
                yield {"images": values.transpose(2, 0, 1)[None]}

        return np.concatenate(self._runner.run(inputs(), "features"))
