"""Central similarity quantization: every class has a centre among the codes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ...errors import ParameterError
from .base import Loss, register
from .centres import centres_of, check_kind, make_centres

__all__ = ["CSQ"]


@register("csq")
class CSQ(Loss):
    r"""Binary cross-entropy of each bit against that of the class's centre.

    With :math:`u = \tanh z` of outputs :math:`z` and a centre :math:`c` of -1 and +1 (of
    several labels the sign of the sum of theirs), the loss is the mean over images and bits of

    .. math:: \mathrm{BCE}(\tfrac12 (u + 1), \tfrac12 (c + 1)) + \lambda (|u| - 1)^2

    Parameters
    ----------
    weight : float
        :math:`\lambda`; published: 0.0001.
    centres : {"spread", "random"}
        See :func:`~hashret.deep.losses.centres.make_centres`; published: rows of a
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

    by_image = True
    targets: Tensor

    def __init__(self, weight: float = 1e-4, centres: str = "spread") -> None:
        super().__init__()
        if not 0 <= weight < float("inf"):
            raise ParameterError(f"weight: expected a number >= 0, got {weight}")
        self.weight, self.centres = weight, check_kind(centres)

    def setup(self, bits: int, classes: int) -> None:
        """Choose the centres."""
        super().setup(bits, classes)
        self.register_buffer("targets", make_centres(classes, bits, self.centres))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over images and bits."""
        ones = (centres_of(targets, self.targets).to(outputs.dtype) + 1) / 2
        # (tanh z + 1) / 2 is the sigmoid of 2z.
        entropy = functional.binary_cross_entropy_with_logits(2 * outputs, ones)
        return entropy + self.weight * (torch.tanh(outputs).abs() - 1).square().mean()
