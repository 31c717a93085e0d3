"""Networks: images or vectors to features, and the hash layer that follows.

A network here is any module from float images (n, channels, height, width), or from vectors
(n, d), to features (n, m); :class:`HashModel` adds what every method needs around it.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import DTypeError, ParameterError, ShapeError
from .resnet import resnet_18

__all__ = ["HashModel", "make_network", "mlp", "network_names", "resnet_9", "small_cnn"]


def conv_block(inputs: int, outputs: int, pool: bool = False) -> nn.Sequential:
    """Return 3x3 convolution, batch normalisation and ReLU.

    Pooling comes before the normalisation, which then runs over a quarter of the values.
    """
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        *([nn.MaxPool2d(2)] if pool else []),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class GlobalMaxPool(nn.Module):
    """The largest value of each channel, whatever the size of the image.

    With the mean instead, DSH learned far more slowly: mAP@10 0.745 against 0.810 on
    held-out images after six epochs of 6,000 Fashion-MNIST images.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return shape (n, channels)."""
        return images.amax((2, 3))


def small_cnn(channels: int) -> nn.Module:
    """Return a small convolutional network for images of about 28x28 to 32x32.

    Four 3x3 convolutions to 128 features. It pools early, since on a CPU the first
    layers at full size cost most of the time.

    Parameters
    ----------
    channels : int
        1 for grey images, 3 for colour.
    """
    return nn.Sequential(
        conv_block(channels, 32, pool=True),
        conv_block(32, 64, pool=True),
        conv_block(64, 128),
        conv_block(128, 128),
        GlobalMaxPool(),
    )


class Residual(nn.Module):
    """Two convolutions whose outcome is added to what went in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(conv_block(channels, channels), conv_block(channels, channels))

    def forward(self, images: Tensor) -> Tensor:
        """Return an image of the same size and number of channels."""
        changed: Tensor = images + self.change(images)
        return changed


def resnet_9(channels: int) -> nn.Module:
    """Return a slim residual network for images of about 28x28 to 32x32.

    Eight 3x3 convolutions to 192 features, 36 million multiplications a 28x28 image,
    50 million at 32x32. The shape is that of David Page's ResNet-9 (How to train your
    ResNet, 2018), with the channels chosen so that one CPU core trains on some 580 and
    410 images a second.

    Parameters
    ----------
    channels : int
        1 for grey images, 3 for colour.
    """
    return nn.Sequential(
        conv_block(channels, 16),
        conv_block(16, 48, pool=True),
        Residual(48),
        conv_block(48, 96, pool=True),
        conv_block(96, 192, pool=True),
        Residual(192),
        GlobalMaxPool(),
    )


def mlp(inputs: int) -> nn.Module:
    """Return one hidden layer of 1,024 units over vectors such as embeddings.

    Parameters
    ----------
    inputs : int
        Length of a vector.
    """
    return nn.Sequential(nn.Linear(inputs, 1024, bias=False), nn.BatchNorm1d(1024), nn.ReLU())


def linear(inputs: int) -> nn.Module:
    """Return vectors as they are: the hash layer is all that learns."""
    return nn.Identity()


_OF_IMAGES = {"resnet-18": resnet_18, "resnet-9": resnet_9, "small-cnn": small_cnn}
_OF_VECTORS = {"linear": linear, "mlp": mlp}


def network_names() -> list[str]:
    """Return the names of the networks that come with hashret; two of them take vectors."""
    return sorted(_OF_IMAGES | _OF_VECTORS)


def make_network(name: str, shape: tuple[int, ...]) -> nn.Module:
    """Return a new network by name, with fresh weights.

    Parameters
    ----------
    name : str
    shape : tuple of int
        Of what it takes: (height, width, channels), or (d,) for vectors.
    """
    kind, networks = ("vectors", _OF_VECTORS) if len(shape) == 1 else ("images", _OF_IMAGES)
    if not isinstance(name, str) or name not in networks:
        raise ParameterError(
            f"network: expected one of {', '.join(sorted(networks))} for {kind}, got {name!r}"
        )
    return networks[name](shape[-1])


# Where rows and columns of a product are multiples of this, a row of it depends neither on its
# place nor on how many there are: never so with 1 to 4 threads, 16 to 1024 rows, 2 to 128 columns
# and sums of 9 to 513 terms, where products of other sizes differed in their last digits.
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
        self.mirror, self.nudge = mirror, nudge
        # Images go through the network with the channels first.
        sizes = (shape[0],) if len(shape) == 1 else (shape[2], 1, 1)
        self.register_buffer("mean", torch.zeros(sizes))
        self.register_buffer("std", torch.ones(sizes))
        self.network = network
        if features is None:
            features = _feature_count(network, (shape[-1], *shape[:-1]))
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
        if inputs.ndim == 4:
            # The permuted view of channels-last bytes is already in channels-last format.
            inputs = inputs.permute(0, 3, 1, 2).float() / 255
        views = [inputs] if self.training else self._views(inputs)
        outputs: list[Tensor]
        outputs = [self._outputs((view - self.mean) / self.std) for view in views]
        return sum(outputs[1:], outputs[0]) / len(outputs)

    def _outputs(self, inputs: Tensor) -> Tensor:
        # A network of the caller's may count in other numbers than the hash layer does.
        features = self.network(inputs).float()
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
