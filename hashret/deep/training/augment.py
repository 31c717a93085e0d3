"""Random views of images, on tensors of bytes, and of feature vectors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..model.devices import sent

__all__ = ["augment"]


def augment(inputs: Tensor, flip: bool, shift: int, strong: int = 0, cutout: int = 0) -> Tensor:
    """Mirror half of the images left to right, and move each by up to `shift` pixels.

    Parameters
    ----------
    inputs : Tensor
        Images, uint8 (n, height, width, channels), or feature vectors, float32 (n, d).
        Vectors have neither sides nor pixels and stay as they are but for the strong views.
    flip : bool
    shift : int
        Largest move in either direction; what comes in from outside is 0.
    strong : int
        How many rows, the last ones, are also distorted; see :func:`distort` and
        :func:`disturb`.
    cutout : int
        Side of a square that is blackened in half of the images; see :func:`blacken`.

    Returns
    -------
    views : Tensor, same shape and dtype
        Draws come from torch's global CPU generator, so that a seed gives the
        same views on every device.
    """
    if inputs.ndim == 2:
        weak, last = inputs[: len(inputs) - strong], inputs[len(inputs) - strong :]
        return torch.cat([weak, disturb(last)]) if strong else inputs
    views = _move(inputs, flip, shift)
    if strong:
        views[-strong:] = distort(views[-strong:])
    return blacken(views, cutout) if cutout else views


def disturb(vectors: Tensor, noise: float = 0.5, dropped: float = 0.2) -> Tensor:
    """Add Gaussian noise to vectors and drop some of their values.

    Parameters
    ----------
    vectors : Tensor of float, shape (n, d)
    noise : float
        Size of the noise as a share of the vectors' deviation in each dimension.
    dropped : float
        Probability of a value's being replaced by its mean.
    """
    mean, deviation = vectors.mean(0), vectors.std(0, correction=0)
    kept = torch.rand(vectors.shape) >= dropped
    drawn = torch.randn(vectors.shape).to(vectors.dtype)
    kept, drawn = sent(vectors.device, kept, drawn)
    return torch.where(kept, vectors + noise * deviation * drawn, mean)


def distort(
    images: Tensor,
    area: float = 0.5,
    light: float = 0.4,
    coloured: float = 0.7,
    grey: float = 0.2,
) -> Tensor:
    """Cut and stretch images, and change their light and colours.

    Parameters
    ----------
    images : Tensor of uint8, shape (n, height, width, channels)
    area : float
        Least share of the image's area that is cut out and stretched over the whole.
    light : float
        Brightness, contrast and saturation are each multiplied by 1 - light to 1 + light.
    coloured : float
        Probability of that.
    grey : float
        Probability of a colour image's turning grey.

    Notes
    -----
    The settings are those published for contrastive hashing (Qiu et al., IJCAI 2021), less
    its change of hue and its blur.
    """
    count = len(images)
    pixels = _crop(images.permute(0, 3, 1, 2).float() / 255, area)
    changed = torch.rand(count, 1, 1, 1) < coloured
    factors = torch.where(changed, 1 + light * (2 * torch.rand(3, count, 1, 1, 1) - 1), 1.0)
    factors, turned = sent(images.device, factors, torch.rand(count, 1, 1, 1) < grey)
    brightness, contrast, saturation = factors

    pixels = pixels * brightness
    middle = pixels.mean((1, 2, 3), keepdim=True)
    pixels = middle + (pixels - middle) * contrast
    if pixels.shape[1] == 3:
        tones = pixels.new_tensor([0.299, 0.587, 0.114])
        luminance = (pixels * tones[:, None, None]).sum(1, keepdim=True)
        pixels = luminance + (pixels - luminance) * torch.where(turned, 0.0, saturation)
    views: Tensor = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    return views


def blacken(images: Tensor, side: int) -> Tensor:
    """Set a square of pixels to 0 in half of the images, a random one in each.

    Its centre is any pixel, so that part of it may lie outside.

    Parameters
    ----------
    images : Tensor of uint8, shape (n, height, width, channels)
    side : int

    References
    ----------
    DeVries and Taylor: Improved regularization of convolutional neural networks with
    cutout, arXiv 1708.04552.
    """
    count, height, width, _ = images.shape
    top = torch.randint(height, (count, 1)) - side // 2
    left = torch.randint(width, (count, 1)) - side // 2
    rows = (torch.arange(height) >= top) & (torch.arange(height) < top + side)
    columns = (torch.arange(width) >= left) & (torch.arange(width) < left + side)
    chosen = torch.rand(count, 1) < 0.5
    square = (rows & chosen)[:, :, None] & columns[:, None, :]
    (square,) = sent(images.device, square[..., None])
    return images.masked_fill(square, 0)


def _move(images: Tensor, flip: bool, shift: int) -> Tensor:
    count, height, width, _ = images.shape
    columns = torch.arange(width).expand(count, width)
    if flip:
        mirrored = torch.rand(count, 1) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    rows = torch.arange(height).expand(count, height)
    if shift:
        images = functional.pad(images, (0, 0, shift, shift, shift, shift))
        rows = rows + torch.randint(0, 2 * shift + 1, (count, 1))
        columns = columns + torch.randint(0, 2 * shift + 1, (count, 1))
    rows, columns = sent(images.device, rows, columns)
    which = torch.arange(count, device=images.device)[:, None, None]
    return images[which, rows[:, :, None], columns[:, None, :]]


def _crop(images: Tensor, area: float) -> Tensor:
    """Cut a random window from each image (n, channels, h, w) and stretch it over the whole."""
    count = len(images)
    share = area + (1 - area) * torch.rand(count)
    # Sides in a ratio of 3:4 to 4:3 where the window stays inside.
    stretch = torch.exp((2 * torch.rand(count) - 1) * torch.log(torch.tensor(4 / 3)) / 2)
    sides = torch.stack([share.sqrt() * stretch, share.sqrt() / stretch], 1).clamp(max=1)
    middles = (2 * torch.rand(count, 2) - 1) * (1 - sides)
    windows = torch.zeros(count, 2, 3)
    windows[:, [0, 1], [0, 1]] = sides
    windows[:, :, 2] = middles
    (windows,) = sent(images.device, windows)
    grid = functional.affine_grid(windows, list(images.shape), align_corners=False)
    cut: Tensor = functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return cut
