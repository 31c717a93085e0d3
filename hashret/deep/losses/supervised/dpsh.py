"""Deep pairwise-supervised hashing, and the deep hashing network that differs by its quantizer."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional

from ....checks import check_choice, check_number
from ..base import Loss
from ..labels import similar_pairs
from ..pairs import check_pairs, each_pair
from ..registry import register

__all__ = ["DPSH"]


@register("dpsh")
class DPSH(Loss):
    r"""The likelihood of pairwise similarities under inner products of outputs.

    With :math:`\theta_{ij} = \tfrac12 \langle u_i, u_j \rangle` and :math:`s_{ij} = 1` for
    images that share a label, 0 otherwise, the loss is the mean over all pairs of the batch of

    .. math:: \log(1 + e^{\theta_{ij}}) - s_{ij} \theta_{ij}

    plus `eta` times the mean over images and bits of a term that draws outputs to -1 and +1.

    Parameters
    ----------
    eta : float
        Weight of the quantizer. Published for DPSH: 10 beside the sum over all pairs of
        5,000 images, which is 0.1 here at 50 bits; for DHN: chosen by cross-validation.
    quantizer : {"square", "log-cosh"}
        "square" is DPSH's :math:`(u - \operatorname{sgn} u)^2`, "log-cosh" is DHN's
        :math:`\log \cosh(|u| - 1)`.

    References
    ----------
    Li, Wang, Kang: Feature learning based deep supervised hashing with pairwise labels,
    IJCAI 2016 (DPSH).
    Zhu, Long, Wang, Cao: Deep hashing network for efficient similarity retrieval, AAAI
    2016 (DHN).

    Examples
    --------
    Outputs that are at right angles tell nothing, which costs log 2:

    >>> import torch
    >>> loss = DPSH()
    >>> loss.setup(bits=2, classes=2)
    >>> loss(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), torch.tensor([0, 1]))
    tensor(0.6931)
    """

    def __init__(self, eta: float = 0.1, quantizer: str = "square") -> None:
        super().__init__()
        self.eta = check_number("eta", eta, least=0)
        self.quantizer = check_choice("quantizer", quantizer, "square", "log-cosh")

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over the batch's pairs, plus the quantizer's mean."""
        check_pairs(outputs, targets)
        theta = 0.5 * each_pair(outputs @ outputs.T)
        similar = each_pair(similar_pairs(targets)).to(theta.dtype)
        gap = outputs.abs() - 1
        cost = gap.square() if self.quantizer == "square" else log_cosh(gap)
        return (functional.softplus(theta) - similar * theta).mean() + self.eta * cost.mean()


def log_cosh(x: Tensor) -> Tensor:
    """Return log cosh x without computing cosh, which overflows in float32 past 89."""
    # x is written in place of |x|: the expression is even, and smooth at 0.
    return x + functional.softplus(-2 * x) - math.log(2)
