"""Dynamic pruning: epochs that leave out part of the images which are learned already."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...errors import ParameterError
from .base import Loss, register
from .wrapper import Wrapper

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
    >>> _ = loss(torch.tensor([[9.0, 0.0]] * 4), targets)
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
        """Return the targets with the number of each row behind."""
        targets = super().prepare(targets)
        self.recent = torch.full((len(targets),), _UNSEEN)
        self._weights = torch.ones(len(targets))
        self._several = targets.ndim == 2
        # In float64 the numbers of rows are exact.
        columns = targets.double().reshape(len(targets), -1)
        return torch.cat([columns, torch.arange(len(targets))[:, None].double()], 1)

    def start_epoch(self, done: float) -> None:
        """Remember how much of the training is over."""
        super().start_epoch(done)
        self._done = done

    def epoch_order(self, targets: Tensor) -> Tensor:
        """Return the rows of one pass after another, each in the order of the loss within."""
        recent = self.recent.cpu()
        easy = torch.zeros(len(recent), dtype=torch.bool)
        seen = recent < _UNSEEN
        if seen.any() and self._done < self.until:
            easy = recent < recent[seen].mean()
        self._weights = torch.where(easy, 1 / (1 - self.share), 1.0)

        inner, number = self._apart(targets)
        passes, count = [], 0
        while count < len(targets):
            left_out = easy[number] & (torch.rand(len(targets)) < self.share)
            kept = torch.nonzero(~left_out).flatten()
            passes.append(kept[super().epoch_order(inner[kept])])
            count += len(kept)
        return torch.cat(passes)[: len(targets)]

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the weighted mean over the batch, and remember the loss of each image."""
        inner, number = self._apart(targets)
        values = torch.func.vmap(lambda output, target: self.loss(output[None], target[None]))(
            outputs, inner
        )
        self.recent = self.recent.to(outputs.device)
        self.recent[number] = values.detach().float()
        weighted: Tensor = values * self._weights.to(values)[number]
        return weighted.mean()

    def end_training(self) -> None:
        """Forget the losses of the images."""
        super().end_training()
        self.recent = torch.empty(0, device=self.recent.device)

    def _apart(self, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the targets of the loss within and the numbers of the rows."""
        inner, number = targets[:, :-1], targets[:, -1].long()
        return (inner.float() if self._several else inner[:, 0].long()), number
