"""GreedyHash: a classifier of hard codes, with the identity as the sign's gradient."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ....checks import check_number
from ..base import Loss
from ..binarize import hard_code, towards_bits
from ..labels import nan_if_missing
from ..registry import register

__all__ = ["GreedyHash"]


@register("greedyhash")
class GreedyHash(Loss):
    r"""Cross-entropy of a linear classifier of the codes, trained with the network.

    .. math::
        \mathrm{CE}(W \operatorname{sgn} h, y) + \alpha \, \mathrm{mean} \, ||h| - 1|^3

    The sign is passed forward as it is and has the identity as its gradient; the second
    term, a mean over images and bits, keeps the outputs where that is not far from true.
    Where images may have several labels, the binary cross-entropy of each class takes the
    place of the first.

    Parameters
    ----------
    alpha : float
        Published: 0.1 for CIFAR-10.

    References
    ----------
    Su, Zhang, Han, Tian: Greedy hash: towards fast optimization for accurate hash coding in
    CNN, NeurIPS 2018. Unstable: average several runs.

    Examples
    --------
    >>> loss = GreedyHash()
    >>> loss.setup(bits=4, classes=3)
    >>> loss.classifier.weight.shape
    torch.Size([3, 4])
    """

    by_image = True

    def __init__(self, alpha: float = 0.1) -> None:
        super().__init__()
        self.alpha = check_number("alpha", alpha, least=0)

    def setup(self, bits: int, classes: int) -> None:
        """Make the classifier."""
        super().setup(bits, classes)
        self.classifier = nn.Linear(bits, classes, bias=False)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over the batch."""
        logits = self.classifier(hard_code(outputs))
        if targets.ndim == 1:
            entropy = functional.cross_entropy(logits, targets)
        else:
            table = nan_if_missing(targets.to(logits), targets)
            entropy = functional.binary_cross_entropy_with_logits(logits, table)
        return entropy + self.alpha * towards_bits(outputs)
