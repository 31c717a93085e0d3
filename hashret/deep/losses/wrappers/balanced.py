"""Class imbalance: images of rare classes are drawn more often."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ....errors import ParameterError
from ..base import Loss
from ..registry import register
from .base import Wrapper

__all__ = ["Balanced"]


@register("balanced")
class Balanced(Wrapper):
    r"""Another loss, on epochs in which classes come equally often.

    An image of a class with `n` images is drawn in proportion to :math:`n^{-s}`; one with
    several labels as its rarest asks. An epoch has as many draws as there are images, and
    each image comes as often as expected, rounded up or down.

    Parameters
    ----------
    loss : Loss, str or dict
        The loss within, which learns from labels, or its name.
    strength : float
        `s`, 0 to 1: 0 leaves the classes as they are, 1 makes them equally frequent.

    References
    ----------
    Mahajan et al.: Exploring the limits of weakly supervised pretraining, ECCV 2018, whose
    square-root sampling is a strength of 1/2.

    Examples
    --------
    >>> loss = Balanced("dsh")
    >>> labels = loss.prepare(torch.tensor([0] * 90 + [1] * 10))
    >>> torch.bincount(labels[loss.epoch_order(labels)])
    tensor([50, 50])
    """

    def __init__(self, loss: Loss | str | dict[str, Any], strength: float = 1.0) -> None:
        super().__init__(loss)
        if self.target != "labels" or self.unlabelled:
            raise ParameterError(
                f"loss: expected one that learns from labels alone, got {self.loss.name!r}"
            )
        if not 0 <= strength <= 1:
            raise ParameterError(f"strength: expected 0 to 1, got {strength}")
        self.strength = strength

    def prepare(self, targets: Tensor) -> Tensor:
        """Count the classes."""
        if targets.ndim == 1:
            sizes = torch.bincount(targets)[targets]
        else:
            # The size of an image's rarest class.
            sizes = torch.where(targets > 0, targets.sum(0), torch.inf).amin(1)
        weights = sizes.double() ** -self.strength
        self._ends = weights.cumsum(0) / weights.sum()
        return super().prepare(targets)

    def epoch_order(self, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return drawn rows, in the order that the loss within gives them."""
        count = len(targets)
        # Points at equal distances fall into each image's part as often as expected.
        points = (torch.arange(count) + torch.rand(1, dtype=torch.float64)) / count
        drawn = torch.searchsorted(self._ends, points).clamp(max=count - 1)
        within = drawn if rows is None else rows[drawn]
        return drawn[super().epoch_order(targets[drawn], within)]
