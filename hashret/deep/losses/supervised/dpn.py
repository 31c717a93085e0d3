"""Deep polarized network: every output past a margin, on its centre's side."""

from __future__ import annotations

from torch import Tensor

from ....checks import check_number
from ..registry import register
from .centres import CentreLoss, centres_of

__all__ = ["DPN"]


@register("dpn")
class DPN(CentreLoss):
    r"""A hinge in each bit against the class's centre.

    With outputs :math:`u` and a centre :math:`t` of -1 and +1 (of several labels the sign of
    the sum of theirs), the loss of an image is

    .. math:: \sum_k \max(m - u_k t_k, 0)

    and of a batch the mean over its images.

    Parameters
    ----------
    margin : float
        :math:`m`; published: 1.
    centres : {"spread", "random"}
        See :func:`~hashret.deep.losses.supervised.centres.make_centres`; published: random.

    References
    ----------
    Fan, Ng, Ju, Zhang, Chan: Deep polarized network for supervised learning of accurate
    binary hashing codes, IJCAI 2020.

    Examples
    --------
    >>> import torch
    >>> loss = DPN()
    >>> loss.setup(bits=8, classes=2)
    >>> loss(torch.zeros(2, 8), torch.tensor([0, 1]))
    tensor(8.)
    """

    def __init__(self, margin: float = 1.0, centres: str = "spread") -> None:
        super().__init__(centres)
        self.margin = check_number("margin", margin, above=0)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over images of the sum over bits."""
        agreement = outputs * centres_of(targets, self.codewords).to(outputs.dtype)
        return (self.margin - agreement).clamp(min=0).sum(1).mean()
