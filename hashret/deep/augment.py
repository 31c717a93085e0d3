"""Random views of images, on tensors of bytes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["augment"]


def augment(images: Tensor, flip: bool, shift: int) -> Tensor:
    """Mirror half of the images left to right, and move each by up to `shift` pixels.

    Parameters
    ----------
    images : Tensor of uint8, shape (n, height, width, channels)
    flip : bool
    shift : int
        Largest move in either direction; what comes in from outside is 0.

    Returns
    -------
    views : Tensor of uint8, same shape
        Draws come from torch's global CPU generator, so that a seed gives the
        same views on every device.
    """
    count, height, width, _ = images.shape
    device = images.device
    columns = torch.arange(width).expand(count, width)
    if flip:
        mirrored = torch.rand(count, 1) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    rows = torch.arange(height).expand(count, height)
    if shift:
        images = functional.pad(images, (0, 0, shift, shift, shift, shift))
        rows = rows + torch.randint(0, 2 * shift + 1, (count, 1))
        columns = columns + torch.randint(0, 2 * shift + 1, (count, 1))
    which = torch.arange(count, device=device)[:, None, None]
    return images[which, rows.to(device)[:, :, None], columns.to(device)[:, None, :]]
