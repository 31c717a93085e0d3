"""BiHalf: every bit is 1 in half of the batch, and codes keep the cosines of features."""

from __future__ import annotations

import torch
from torch import Tensor

from ....checks import check_number
from ..base import Loss
from ..binarize import straight_through
from ..registry import register
from .cosines import centred, cosine_gap

__all__ = ["BiHalf", "half_code"]


@register("bihalf")
class BiHalf(Loss):
    r"""Cosines of codes against cosines of features, with bits of the largest entropy.

    In each bit the larger half of the batch's outputs :math:`u` becomes +1 and the others
    -1. With these codes :math:`b` and feature vectors :math:`x`, the loss is the mean over
    all pairs of the batch of

    .. math:: (\cos(b_i, b_j) - \cos(x_i, x_j))^2

    whose gradient at the code passes to the output as it is, plus

    .. math:: \tfrac{\gamma}{2NK} \|U - B\|^2

    whose gradient is the published :math:`\gamma (U - B) / NK` of `N` images and `K` bits. It
    draws an output to the side of 0 that its bit is on: a code afterwards is the sign.

    Parameters
    ----------
    gamma : float
        Published: 6, in trainings by SGD on batches of 32, where pairs were the i-th image of
        the first half of a batch with the i-th of the second.
    centre : bool
        Subtract the features' mean first. Not published, where features were rectified.

    References
    ----------
    Li, van Gemert: Deep unsupervised image hashing by maximizing bit entropy, AAAI 2021,
    arXiv 2012.12334; gamma is that of the authors' code.

    Examples
    --------
    >>> loss = BiHalf()
    >>> loss.setup(bits=1, classes=0)
    >>> loss(torch.tensor([[1.0], [-1.0]]), torch.tensor([[3.0, 4.0], [-3.0, -4.0]])).item()
    0.0
    """

    target = "features"

    def __init__(self, gamma: float = 6.0, centre: bool = True) -> None:
        super().__init__()
        self.gamma, self.centre = check_number("gamma", gamma, least=0), bool(centre)

    def prepare(self, targets: Tensor) -> Tensor:
        """Return the features, less their mean if asked."""
        return centred(targets) if self.centre else targets

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over pairs, plus the mean over images and bits."""
        half = half_code(outputs)
        gap = cosine_gap(straight_through(half, outputs), targets)
        return gap + self.gamma / 2 * (outputs - half).square().mean()


@torch.no_grad()
def half_code(outputs: Tensor) -> Tensor:
    """Return +1 in each column for the larger half of the rows (the smaller part of an odd number).

    Equal outputs are taken in the order of the rows.

    Examples
    --------
    >>> half_code(torch.tensor([[0.1], [0.3], [0.2]])).flatten()
    tensor([-1.,  1., -1.])
    """
    largest = outputs.argsort(dim=0, descending=True, stable=True)[: len(outputs) // 2]
    return torch.full_like(outputs, -1).scatter_(0, largest, 1)
