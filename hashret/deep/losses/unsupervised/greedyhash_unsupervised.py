"""GreedyHash without labels: hard codes keep the cosines of features."""

from __future__ import annotations

from torch import Tensor

from ....checks import check_number
from ..base import Loss
from ..binarize import hard_code, towards_bits
from ..registry import register
from .cosines import centred, cosine_gap

__all__ = ["GreedyHashUnsupervised"]


@register("greedyhash-unsupervised")
class GreedyHashUnsupervised(Loss):
    r"""Cosines of codes against cosines of features.

    With codes :math:`b = \operatorname{sgn} h` and feature vectors :math:`x`, the loss is the
    mean over all pairs of the batch of

    .. math:: (\cos(b_i, b_j) - \cos(x_i, x_j))^2

    plus :math:`\alpha \, \mathrm{mean} \, ||h| - 1|^3` over images and bits. The sign has the
    identity as its gradient.

    Parameters
    ----------
    alpha : float
        Published: 0.1.
    centre : bool
        Subtract the features' mean first. Not published, where features were rectified.

    References
    ----------
    Su, Zhang, Han, Tian: Greedy hash: towards fast optimization for accurate hash coding in
    CNN, NeurIPS 2018, section on unsupervised hashing.

    Examples
    --------
    >>> import torch
    >>> loss = GreedyHashUnsupervised()
    >>> loss.setup(bits=2, classes=0)
    >>> loss(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), torch.eye(2)).item()
    0.0
    """

    target = "features"

    def __init__(self, alpha: float = 0.1, centre: bool = True) -> None:
        super().__init__()
        self.alpha, self.centre = check_number("alpha", alpha, least=0), bool(centre)

    def prepare(self, targets: Tensor) -> Tensor:
        """Return the features, less their mean if asked."""
        return centred(targets) if self.centre else targets

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over pairs, plus the mean over images and bits."""
        return cosine_gap(hard_code(outputs), targets) + self.alpha * towards_bits(outputs)
