"""OrthoHash: one cosine loss of normalised outputs against fixed centres."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ....checks import check_number
from ..labels import nan_if_missing
from ..registry import register
from .centres import CentreLoss

__all__ = ["OrthoHash"]


@register("orthohash")
class OrthoHash(CentreLoss):
    r"""Cross-entropy of scaled cosines to the classes' centres, less a margin.

    The hash layer is linear without bias, then batch normalisation, which balances the bits.
    With its outputs :math:`v` and centres :math:`c_j` of -1 and +1 the loss is the
    cross-entropy of the logits

    .. math:: s (\cos(v, c_j) - m [j = y])

    Where images may have several labels, each of them bears the margin and an equal share of
    the probability that is asked for, as in the authors' code.

    Parameters
    ----------
    scale : float
        :math:`s`; published: 8.
    margin : float
        :math:`m`; published: 0.2, and 0.3 for CIFAR-10.
    centres : {"spread", "random"}
        See :func:`~hashret.deep.losses.supervised.centres.make_centres`; published: both,
        random first.

    References
    ----------
    Hoe et al.: One loss for all: deep hashing with a single cosine similarity based learning
    objective, NeurIPS 2021.

    Examples
    --------
    >>> import torch
    >>> loss = OrthoHash(margin=0)
    >>> loss.setup(bits=8, classes=2)
    >>> round(loss(loss.codewords, torch.tensor([0, 1])).exp().item(), 6)  # 1 + e^(0 - 8)
    1.000335
    """

    batch_norm = True

    def __init__(self, scale: float = 8.0, margin: float = 0.2, centres: str = "spread") -> None:
        super().__init__(centres)
        self.scale = check_number("scale", scale, above=0)
        self.margin = check_number("margin", margin, least=0)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over the batch."""
        centres = functional.normalize(self.codewords.to(outputs.dtype))
        cosines = functional.normalize(outputs) @ centres.T
        if targets.ndim == 1:
            targets = functional.one_hot(targets, self.classes)
        own = nan_if_missing(targets.to(cosines), targets)
        logits = self.scale * (cosines - self.margin * own)
        return functional.cross_entropy(logits, own / own.sum(1, keepdim=True))
