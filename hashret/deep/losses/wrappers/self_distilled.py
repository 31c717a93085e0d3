"""Self-distillation: the code of a strongly distorted view follows that of a weak one."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from ....checks import check_number
from ....errors import ParameterError
from ..base import Loss
from ..registry import register
from .base import Wrapper, pick

__all__ = ["SelfDistilled"]


@register("self-distilled")
class SelfDistilled(Wrapper):
    r"""Another loss on weak views, plus the distance of strong views from them.

    With outputs :math:`u` of a weakly and :math:`v` of a strongly distorted view of each image,
    the mean over images of

    .. math:: 1 - \cos(v_i, u_i)

    times `weight` is added, where :math:`u` is held fixed: it teaches, and learns from the
    loss within alone.

    Parameters
    ----------
    loss : Loss, str or dict
        The loss within, of one view, or its name.
    weight : float
        Published: 0.1.

    References
    ----------
    Jang, Gu, Ko, Kim, Cho: Deep hash distillation for image retrieval, ECCV 2022,
    arXiv 2112.08816; with a classifier of cosines to learned proxies within.

    Examples
    --------
    >>> import torch
    >>> loss = SelfDistilled("dpn", weight=0.5)
    >>> loss.setup(bits=2, classes=2)
    >>> views = torch.tensor([[3.0, 3.0], [-3.0, -3.0]])  # of one image, in opposite directions
    >>> label = torch.tensor([0])
    >>> (loss(views, label.repeat(2)) - loss.loss(views[:1], label)).item()
    1.0
    """

    def __init__(self, loss: Loss | str | dict[str, Any], weight: float = 0.1) -> None:
        super().__init__(loss)
        if self.loss.views != 1:
            raise ParameterError(
                f"loss: expected one of a single view, got {self.loss.name!r} of {self.loss.views}"
            )
        self.weight = check_number("weight", weight, least=0)
        self.views, self.strong_views = 2, 1

    def forward(self, outputs: Tensor, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the loss of the weak views plus the weighted distance."""
        weak, strong = outputs.chunk(2)
        own = slice(len(weak))
        value: Tensor = self.loss(weak, targets[own], rows=pick(rows, own))
        distance = 1 - functional.cosine_similarity(strong, weak.detach())
        return value + self.weight * distance.mean()
