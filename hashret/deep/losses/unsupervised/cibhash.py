"""CIBHash: two views of an image share a code, which keeps little else."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ....checks import check_choice, check_number
from ....errors import TrainingError
from ..base import Loss
from ..binarize import straight_through
from ..registry import register

__all__ = ["CIBHash", "nt_xent", "symmetric_kl"]


@register("cibhash")
class CIBHash(Loss):
    r"""Contrast of two views' codes, with an information bottleneck.

    With the probability :math:`p = \sigma(u)` of a bit's being 1 and codes :math:`b` of -1 and
    +1, whose gradient passes to :math:`p` as it is, the loss is the mean over the `2N` views
    of the batch of

    .. math::
        -\log \frac{\exp(\cos(b_i, b_{i'}) / \tau)}{\sum_{j \neq i} \exp(\cos(b_i, b_j) / \tau)}

    where :math:`i'` is the other view of the same image, plus `weight` times the mean over
    images of half of :math:`KL(p_i \| p_{i'}) + KL(p_{i'} \| p_i)`, summed over bits, where
    the second argument of each is held fixed. Both views are distorted strongly: images cut,
    stretched and changed in light and colour, feature vectors disturbed by noise.

    Parameters
    ----------
    temperature : float
        :math:`\tau`; published: 0.3.
    weight : float
        Published: 0.001.
    code : {"sign", "sampled"}
        Whether a bit of the code is 1 where :math:`p > 1/2`, or with probability `p`. The
        paper samples, the authors' code takes the sign.

    References
    ----------
    Qiu, Su, Ou, Yu, Chen: Unsupervised hashing with contrastive information bottleneck,
    IJCAI 2021, arXiv 2105.06138. Published training: Adam, rate 0.001, batches of 64, 60
    epochs of one hidden layer over fixed features.

    Examples
    --------
    Two images whose codes are opposite, both views equal, sum over one positive and two
    negatives:

    >>> loss = CIBHash(temperature=1.0)
    >>> loss.setup(bits=4, classes=0)
    >>> views = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]]).expand(4, 4)
    >>> round(loss(views, torch.empty(4, 0)).exp().item(), 4)  # (e + 2 / e) / e
    1.2707
    """

    target = "nothing"
    views = 2
    strong_views = 2

    def __init__(self, temperature: float = 0.3, weight: float = 0.001, code: str = "sign") -> None:
        super().__init__()
        self.temperature = check_number("temperature", temperature, above=0)
        self.weight = check_number("weight", weight, least=0)
        self.code = check_choice("code", code, "sign", "sampled")

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the contrast plus the weighted divergence."""
        if len(outputs) < 4 or len(outputs) % 2:
            raise TrainingError(
                f"outputs: expected two views of at least two images, got {len(outputs)} rows"
            )
        probability = outputs.sigmoid()
        # Drawn on the CPU, so that a seed gives the same codes on every device.
        threshold = (
            torch.rand(outputs.shape, dtype=outputs.dtype).to(outputs.device)
            if self.code == "sampled"
            else 0.5
        )
        hard = torch.where(probability > threshold, 1.0, -1.0).to(outputs.dtype)
        contrast = nt_xent(straight_through(hard, probability), self.temperature)
        return contrast + self.weight * symmetric_kl(*outputs.chunk(2))


def nt_xent(codes: Tensor, temperature: float) -> Tensor:
    """Return the contrast of the first half of the rows, one view, with the second half."""
    directions = functional.normalize(codes)
    logits = directions @ directions.T / temperature
    itself = torch.eye(len(codes), dtype=torch.bool, device=codes.device)
    partner = torch.arange(len(codes), device=codes.device).roll(len(codes) // 2)
    return functional.cross_entropy(logits.masked_fill(itself, float("-inf")), partner)


def symmetric_kl(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean over rows of half of both divergences of bits, given as logits.

    The second argument of each divergence is held fixed.
    """
    return (_divergence(first, second) + _divergence(second, first)) / 2


def _divergence(logits: Tensor, others: Tensor) -> Tensor:
    others = others.detach()
    # In logits log p is -softplus(-u) and log(1 - p) is -softplus(u): nothing overflows.
    ones = functional.softplus(-others) - functional.softplus(-logits)
    zeros = functional.softplus(others) - functional.softplus(logits)
    probability = logits.sigmoid()
    return (probability * ones + (1 - probability) * zeros).sum(1).mean()
