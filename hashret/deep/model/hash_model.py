"""A network and what every method needs around it: normalisation, views, the hash layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...checks import check_int
from ...errors import DTypeError, ParameterError, ShapeError

__all__ = ["BLOCK", "HashModel", "padded"]

# Where rows and columns of a product are multiples of this, a row of it depends neither on its
# position nor on how many there are. Measured with 1 to 4 threads, 16 to 1024 rows, 2 to 128
# columns and sums of 9 to 513 terms; products of other sizes differed in their last digits.
BLOCK = 16


def padded(tensor: Tensor, multiple: int) -> Tensor:
    """Repeat the last row until the number of rows, not 0, is a multiple."""
    missing = -len(tensor) % multiple
    return (
        torch.cat([tensor, tensor[-1:].expand(missing, *tensor.shape[1:])]) if missing else tensor
    )


# Images whose bytes are counted at once, so that a mapped file is not copied whole.
_IMAGES = 1024


def _count_bytes(images: Tensor) -> Tensor:
    """Return how often each value occurs in each channel, int64 (channels, 256)."""
    planes = [torch.bincount(plane.flatten(), minlength=256) for plane in images.unbind(3)]
    return torch.stack(planes)


class HashModel(nn.Module):
    """Images or vectors in, hash outputs out: normalisation, a network, and the hash layer.

    Parameters
    ----------
    network : Module
        Float images (n, channels, height, width), or vectors (n, d), to features (n, m).
    shape : tuple of int
        Height, width and channels of the images, or length of the vectors.
    outputs : int
        Width of the hash layer.
    batch_norm : bool
        Whether batch normalisation follows the hash layer, which then has no bias.
    mirror : bool
        Whether, but in training, an image's outputs are the mean of its own and of its mirror
        image's.
    nudge : int
        But in training, take the mean also with the image moved by so many pixels up, down, left
        and right.
    features : int, optional
        What m is; by default two images are tried.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        shape: tuple[int, ...],
        outputs: int,
        batch_norm: bool = False,
        mirror: bool = False,
        nudge: int = 0,
        features: int | None = None,
    ) -> None:
        super().__init__()
        self.mirror, self.nudge = _check_views(mirror, nudge, shape)
        # Images go through the network with the channels first.
        sizes = (shape[0],) if len(shape) == 1 else (shape[2], 1, 1)
        self.register_buffer("mean", torch.zeros(sizes))
        self.register_buffer("std", torch.ones(sizes))
        self.network = network
        if features is None:
            features = _feature_count(network, (shape[-1], *shape[:-1]))
        self.width = features
        layer = nn.Linear(features, outputs, bias=not batch_norm)
        self.head = nn.Sequential(layer, nn.BatchNorm1d(outputs)) if batch_norm else layer

    def standardise(self, inputs: Tensor) -> None:
        """Set mean and deviation of each channel of images, or of each column of vectors."""
        if inputs.ndim == 2:
            self._standardise_vectors(inputs)
        else:
            self._standardise_images(inputs)

    def _standardise_vectors(self, vectors: Tensor) -> None:
        std, mean = torch.std_mean(vectors.double(), 0, correction=0)
        # Rounding gives a constant column a tiny deviation, which would blow up what is new.
        constant = (vectors == vectors[:1]).all(0)
        self.mean.copy_(mean)
        self.std.copy_(torch.where(constant, 1.0, std))

    def _standardise_images(self, images: Tensor) -> None:
        # Sums of bytes are exact in float64, whatever the order and the thread count.
        counts = sum(
            (_count_bytes(part) for part in torch.split(images, _IMAGES)),
            torch.zeros(images.shape[3], 256, dtype=torch.int64),
        ).double()
        values = torch.arange(256, dtype=torch.float64) / 255
        total = counts.sum(1)
        mean = counts @ values / total
        variance = counts @ values.square() / total - mean.square()
        self.mean.copy_(mean[:, None, None])
        self.std.copy_(variance.clamp(min=1e-6).sqrt()[:, None, None])

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the hash outputs of uint8 images (n, h, w, channels), or of vectors (n, d)."""
        return self._mean_of_views(inputs, self._outputs)

    def features(self, inputs: Tensor) -> Tensor:
        """Return what the hash layer is given, (n, m)."""
        return self._mean_of_views(inputs, self._features)

    def _mean_of_views(self, inputs: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        if inputs.ndim == 4:
            # The permuted view of channels-last bytes is already in channels-last format.
            inputs = inputs.permute(0, 3, 1, 2).float() / 255
        views = [inputs] if self.training else self._views(inputs)
        found = [compute((view - self.mean) / self.std) for view in views]
        return sum(found[1:], found[0]) / len(found)

    def _features(self, inputs: Tensor) -> Tensor:
        # A network of the caller's may compute in float64 or bfloat16.
        features: Tensor = self.network(inputs).float()
        return features

    def _outputs(self, inputs: Tensor) -> Tensor:
        features = self._features(inputs)
        if self.training or torch.compiler.is_compiling():
            outputs: Tensor = self.head(features)
            return outputs
        return self._hash_alone(features)

    def _hash_alone(self, features: Tensor) -> Tensor:
        """Return the outputs of the hash layer, each row's whatever the others are."""
        first, *after = self.head if isinstance(self.head, nn.Sequential) else [self.head]
        layer = cast(nn.Linear, first)
        missing = -layer.out_features % BLOCK
        bias = None if layer.bias is None else functional.pad(layer.bias, (0, missing))
        weight = functional.pad(layer.weight, (0, 0, 0, missing))
        outputs = functional.linear(padded(features, BLOCK), weight, bias)
        outputs = outputs[: len(features), : layer.out_features]
        for norm in after:
            outputs = norm(outputs)
        return outputs

    def _views(self, inputs: Tensor) -> list[Tensor]:
        """Return what the mean is taken over: images moved over black, and all of that mirrored."""
        views = [inputs]
        if self.nudge:
            by = self.nudge
            height, width = inputs.shape[2:]
            padded = functional.pad(inputs, (by, by, by, by))
            for top, left in ((0, by), (2 * by, by), (by, 0), (by, 2 * by)):
                views.append(padded[:, :, top : top + height, left : left + width])
        if self.mirror:
            views += [view.flip(3) for view in views]
        return views


def _check_views(mirror: bool, nudge: int, shape: tuple[int, ...]) -> tuple[bool, int]:
    """Return both, of which vectors have neither, or raise."""
    nudge = check_int("nudge", nudge, 0)
    if len(shape) == 1:
        return False, 0
    if nudge >= min(shape[:2]):
        raise ParameterError(f"nudge: expected less than the images' sides, got {nudge}")
    return bool(mirror), nudge


def _feature_count(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Return d of the features (n, d) that `network` makes, by trying two images."""
    weight = next(network.parameters(), torch.empty(0))
    inputs = torch.zeros(2, *shape, device=weight.device)
    training = network.training
    try:
        with torch.no_grad():
            features = network.eval()(inputs)
    except Exception as error:
        error.add_note(f"raised by the network, which was given float32 {tuple(inputs.shape)}")
        raise
    network.train(training)
    if not isinstance(features, Tensor):
        raise DTypeError(f"network: expected a tensor (n, d), got {type(features).__name__}")
    if features.ndim != 2 or len(features) != 2 or features.shape[1] == 0:
        raise ShapeError(f"network: expected features (n, d), got {tuple(features.shape)} for n=2")
    if not features.is_floating_point():
        raise DTypeError(f"network: expected features of real numbers, got {features.dtype}")
    return int(features.shape[1])
