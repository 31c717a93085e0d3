"""Dynamic pruning: epochs that leave out part of the images which are learned already."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ....errors import ParameterError, TrainingError
from ..base import Loss
from ..registry import register
from .base import Wrapper

__all__ = ["Pruned"]

# The loss of an image that was never seen; finite, as all that a checkpoint holds.
_UNSEEN = torch.finfo(torch.float32).max


@register("pruned")
class Pruned(Wrapper):
    r"""Another loss, on passes that leave out part of the images with a small loss.

    An image whose loss was below the mean of all when it was last seen is left out of a pass
    with probability `share`, and weighs :math:`1 / (1 - share)` where it is not, so that the
    expected gradient stays that of all images. An epoch has as many images as before: as many
    passes as that takes. The first epoch, and what begins after `until` of the training, are of
    all images.

    Parameters
    ----------
    loss : Loss, str or dict
        The loss within, a mean of the losses of single images, or its name.
    share : float
        Published: 0.5.
    until : float
        Published: 0.875.

    References
    ----------
    Qin et al.: InfoBatch: lossless training speed up by unbiased dynamic data pruning,
    ICLR 2024, arXiv 2303.04947, where epochs are single passes.

    Examples
    --------
    >>> loss = Pruned("classifier")
    >>> loss.setup(bits=1, classes=2)
    >>> targets = loss.prepare(torch.tensor([0, 0, 0, 1]))
    >>> _ = loss(torch.tensor([[9.0, 0.0]] * 4), targets, rows=torch.arange(4))
    >>> rows = loss.epoch_order(targets)  # the last image is in every pass
    >>> len(rows), bool((rows == 3).sum() >= 1)
    (4, True)
    """

    recent: Tensor

    def __init__(
        self, loss: Loss | str | dict[str, Any], share: float = 0.5, until: float = 0.875
    ) -> None:
        super().__init__(loss)
        if not self.loss.by_image:
            raise ParameterError(
                f"loss: expected a mean of the losses of single images, got {self.loss.name!r}"
            )
        if not 0 <= share < 1:
            raise ParameterError(f"share: expected at least 0 and less than 1, got {share}")
        if not 0 <= until <= 1:
            raise ParameterError(f"until: expected 0 to 1, got {until}")
        self.share, self.until = share, until
        self._done = 0.0

    def setup(self, bits: int, classes: int) -> None:
        """Prepare the loss within too."""
        super().setup(bits, classes)
        self.register_buffer("recent", torch.empty(0))

    def prepare(self, targets: Tensor) -> Tensor:
        """Make room for the loss of each image."""
        self.recent = torch.full((len(targets),), _UNSEEN)
        self._weights = torch.ones(len(targets))
        return super().prepare(targets)

    def start_epoch(self, done: float) -> None:
        """Remember how much of the training is over."""
        super().start_epoch(done)
        self._done = done

    def epoch_order(self, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the rows of one pass after another, each in the order of the loss within."""
        recent = self.recent.cpu()
        easy = torch.zeros(len(recent), dtype=torch.bool)
        seen = recent < _UNSEEN
        if seen.any() and self._done < self.until:
            easy = recent < recent[seen].mean()
        self._weights = torch.where(easy, 1 / (1 - self.share), 1.0)

        rows = torch.arange(len(targets)) if rows is None else rows
        passes, count = [], 0
        while count < len(targets):
            left_out = easy[rows] & (torch.rand(len(targets)) < self.share)
            kept = torch.nonzero(~left_out).flatten()
            passes.append(kept[super().epoch_order(targets[kept], rows[kept])])
            count += len(kept)
        return torch.cat(passes)[: len(targets)]

    def forward(self, outputs: Tensor, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the weighted mean over the batch, and remember the loss of each image."""
        if rows is None:
            raise TrainingError("rows: a loss that prunes needs the numbers of the images")
        values = torch.func.vmap(
            lambda output, target, row: self.loss(output[None], target[None], rows=row[None])
        )(outputs, targets, rows)
        # Both stay there, since they have a number for every image of the training.
        self.recent, self._weights = (
            table.to(outputs.device) for table in (self.recent, self._weights)
        )
        self.recent[rows] = values.detach().float()
        weighted: Tensor = values * self._weights.to(values.dtype)[rows]
        return weighted.mean()

    def end_training(self) -> None:
        """Forget the losses of the images."""
        super().end_training()
        self.recent = torch.empty(0, device=self.recent.device)
