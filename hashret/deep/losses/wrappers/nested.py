"""Nested codes: the first bits of a code are a code of their own."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ....checks import check_int
from ....errors import ParameterError
from ..base import Loss
from ..registry import register
from .base import Wrapper

__all__ = ["Nested"]


@register("nested")
class Nested(Wrapper):
    r"""Another loss, of the whole code and of each of its prefixes.

    .. math:: \sum_k \sqrt k \, L(h_{1..k}) / \sum_k \sqrt k

    over the lengths :math:`k`, the whole code's among them, so that one network gives codes of
    any of the lengths.

    Parameters
    ----------
    loss : Loss, str or dict
        The loss within, one with an output a bit, or its name.
    lengths : sequence of int, optional
        Of the prefixes; those longer than the code are left out. By default 8, 16, 24 and so on.

    References
    ----------
    Kusupati et al.: Matryoshka representation learning, NeurIPS 2022, arXiv 2205.13147, for
    real vectors; nested hash layers, arXiv 2412.08922, for codes.

    Examples
    --------
    >>> loss = Nested("hashnet")
    >>> loss.setup(bits=20, classes=3)
    >>> [part.bits for part in loss.parts]
    [8, 16, 20]
    """

    def __init__(
        self, loss: Loss | str | dict[str, Any], lengths: Sequence[int] | None = None
    ) -> None:
        super().__init__(loss)
        if self.loss.batch_norm:
            raise ParameterError(
                f"loss: expected one whose hash layer has no normalisation, got {self.loss.name!r}"
            )
        self.lengths = None if lengths is None else [check_int("lengths", k, 1) for k in lengths]

    def setup(self, bits: int, classes: int) -> None:
        """Prepare a loss for each length."""
        shorter = range(8, bits, 8) if self.lengths is None else sorted(set(self.lengths))
        parts = [copy.deepcopy(self.loss) for _ in range(sum(k < bits for k in shorter))]
        super().setup(bits, classes)
        if self.loss.outputs != bits:
            raise ParameterError(f"loss: expected one output a bit, {self.loss.name!r} has others")
        for part, length in zip(parts, shorter, strict=False):
            part.setup(length, classes)
        # The last one is the loss within.
        self._parts = nn.ModuleList([*parts, self.loss])

    @property
    def parts(self) -> list[Loss]:
        """The losses of the lengths, the whole code's last."""
        return [part for part in self._parts if isinstance(part, Loss)]

    def start_epoch(self, done: float) -> None:
        """Tell every loss."""
        for part in self.parts:
            part.start_epoch(done)

    def start_step(self, step: int) -> None:
        """Tell every loss."""
        for part in self.parts:
            part.start_step(step)

    def end_training(self) -> None:
        """Tell every loss."""
        for part in self.parts:
            part.end_training()

    def forward(self, outputs: Tensor, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the weighted mean over the lengths."""
        weights = [part.bits**0.5 for part in self.parts]
        values = [
            weight * part(outputs[:, : part.bits], targets, rows=rows)
            for weight, part in zip(weights, self.parts, strict=True)
        ]
        total: Tensor = sum(values[1:], values[0]) / sum(weights)
        return total
