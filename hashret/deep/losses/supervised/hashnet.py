"""HashNet: weighted pairs, and a tanh that grows into the sign."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ....checks import check_number
from ..base import Loss
from ..binarize import check_continuation, continuation
from ..labels import similar_pairs
from ..pairs import check_pairs, each_pair
from ..registry import register

__all__ = ["HashNet"]


@register("hashnet")
class HashNet(Loss):
    r"""The likelihood of pairwise similarities, learned by continuation.

    With :math:`h = \tanh(\beta z)` of outputs :math:`z`, and :math:`s_{ij} = 1` for images that
    share a label, 0 otherwise, the loss is the mean over all pairs of the batch of

    .. math:: w_{ij} (\log(1 + e^{a \langle h_i, h_j \rangle}) - a s_{ij} \langle h_i, h_j \rangle)

    where :math:`w_{ij}` is the number of pairs over the number of those of its sort, so that
    similar pairs, however few, weigh as much as dissimilar ones. :math:`\beta` grows from 1,
    so that :math:`h` goes to the sign: :math:`\beta = \sqrt{1 + g \cdot step}`, renewed every
    `period` steps.

    Parameters
    ----------
    a : float, optional
        Slope of the similarity's sigmoid; 10 / bits if None, as published.
    growth : float
        :math:`g`; published: 0.005.
    period : int
        Published: 200, in trainings of 10,000 steps by SGD, where the hash layer learns at
        10 times the rate of the network trained before.

    References
    ----------
    Cao, Long, Wang, Yu: HashNet: deep learning to hash by continuation, ICCV 2017;
    the schedule is that of the authors' code.

    Examples
    --------
    >>> loss = HashNet()
    >>> loss.start_step(1399)
    >>> round(loss.beta**2, 6)
    7.0
    """

    def __init__(self, a: float | None = None, growth: float = 0.005, period: int = 200) -> None:
        super().__init__()
        self.a = None if a is None else check_number("a", a, above=0)
        self.growth, self.period = check_continuation(growth, period)
        self.start_step(0)

    def start_step(self, step: int) -> None:
        """Set beta, a function of the step rounded down to whole periods."""
        self.beta = continuation(step, self.growth, self.period)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over similar pairs, plus that over dissimilar; 0 for a sort without."""
        check_pairs(outputs, targets)
        codes = torch.tanh(self.beta * outputs)
        theta = (10 / self.bits if self.a is None else self.a) * each_pair(codes @ codes.T)
        similar = each_pair(similar_pairs(targets))
        count = similar.sum()
        # softplus(t) - t is softplus(-t).
        alike = torch.where(similar, functional.softplus(-theta), 0).sum() / count.clamp(min=1)
        others = torch.where(similar, 0, functional.softplus(theta)).sum()
        return alike + others / (len(theta) - count).clamp(min=1)
