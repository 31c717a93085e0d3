"""OrthoHash: one cosine loss of normalised outputs against fixed centres."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ...errors import ParameterError
from .base import Loss, register
from .centres import check_kind, make_centres
from .labels import nan_if_missing

__all__ = ["OrthoHash"]


@register("orthohash")
class OrthoHash(Loss):
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
        See :func:`~hashret.deep.losses.centres.make_centres`; published: both, random first.

    References
    ----------
    Hoe et al.: One loss for all: deep hashing with a single cosine similarity based learning
    objective, NeurIPS 2021.

    Examples
    --------
    >>> import torch
    >>> loss = OrthoHash(margin=0)
    >>> loss.setup(bits=8, classes=2)
    >>> round(loss(loss.targets, torch.tensor([0, 1])).exp().item(), 6)  # 1 + e^(0 - 8)
    1.000335
    """

    batch_norm = True
    by_image = True
    targets: Tensor

    def __init__(self, scale: float = 8.0, margin: float = 0.2, centres: str = "spread") -> None:
        super().__init__()
        if not 0 < scale < float("inf"):
            raise ParameterError(f"scale: expected a number > 0, got {scale}")
        if not 0 <= margin < float("inf"):
            raise ParameterError(f"margin: expected a number >= 0, got {margin}")
        self.scale, self.margin, self.centres = scale, margin, check_kind(centres)

    def setup(self, bits: int, classes: int) -> None:
        """Choose the centres."""
        super().setup(bits, classes)
        self.register_buffer("targets", make_centres(classes, bits, self.centres))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over the batch."""
        centres = functional.normalize(self.targets.to(outputs.dtype))
        cosines = functional.normalize(outputs) @ centres.T
        if targets.ndim == 1:
            targets = functional.one_hot(targets, self.classes)
        own = nan_if_missing(targets.to(cosines), targets)
        logits = self.scale * (cosines - self.margin * own)
        return functional.cross_entropy(logits, own / own.sum(1, keepdim=True))
