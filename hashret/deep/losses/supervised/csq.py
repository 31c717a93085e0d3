"""Central similarity quantization: every class has a centre among the codes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ....checks import check_number
from ..registry import register
from .centres import CentreLoss, centres_of

__all__ = ["CSQ"]


@register("csq")
class CSQ(CentreLoss):
    r"""Binary cross-entropy of each bit against that of the class's centre.

    With :math:`u = \tanh z` of outputs :math:`z` and a centre :math:`c` of -1 and +1 (of
    several labels the sign of the sum of theirs), the loss is the mean over images and bits of

    .. math:: \mathrm{BCE}(\tfrac12 (u + 1), \tfrac12 (c + 1)) + \lambda (|u| - 1)^2

    Parameters
    ----------
    weight : float
        :math:`\lambda`; published: 0.0001.
    centres : {"spread", "random"}
        See :func:`~hashret.deep.losses.supervised.centres.make_centres`; published: rows of a
        Hadamard matrix where bits are a power of two, otherwise random.

    References
    ----------
    Yuan et al.: Central similarity quantization for efficient image and video retrieval,
    CVPR 2020.

    Examples
    --------
    An output of 0 is as far from either bit, which costs log 2:

    >>> loss = CSQ(weight=0)
    >>> loss.setup(bits=8, classes=2)
    >>> loss(torch.zeros(2, 8), torch.tensor([0, 1]))
    tensor(0.6931)
    """

    def __init__(self, weight: float = 1e-4, centres: str = "spread") -> None:
        super().__init__(centres)
        self.weight = check_number("weight", weight, least=0)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over images and bits."""
        ones = (centres_of(targets, self.codewords).to(outputs.dtype) + 1) / 2
        # (tanh z + 1) / 2 is the sigmoid of 2z.
        entropy = functional.binary_cross_entropy_with_logits(2 * outputs, ones)
        return entropy + self.weight * (torch.tanh(outputs).abs() - 1).square().mean()
