"""Soft binarization, and terms that make bits sure, balanced and independent."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ....checks import check_choice, check_number
from ....errors import ParameterError
from ..base import Loss
from ..binarize import check_continuation, continuation, hard_code
from ..registry import register
from .base import Wrapper

__all__ = ["Regularised"]


@register("regularised")
class Regularised(Wrapper):
    r"""Another loss on codes that are softly binarized, with regularisers.

    The loss within gets codes :math:`h` in place of the outputs :math:`u`. To its value on a
    batch of `N` rows of `K` bits are added, each with its weight:

    - quantization, :math:`\mathrm{mean}_{ik} (|u_{ik}| - 1)^2`;
    - balance, :math:`\mathrm{mean}_k (\tfrac1N \sum_i h_{ik})^2`: a bit is 1 half of the time;
    - decorrelation, :math:`\mathrm{mean}_{k \neq l} (\tfrac1N \sum_i h_{ik} h_{il})^2`: two bits
      agree half of the time.

    Parameters
    ----------
    loss : Loss, str or dict
        The loss within, or its name.
    quantization, balance, decorrelation : float
        Weights; 0 leaves the term out.
    binarize : {"none", "tanh", "sign"}
        What :math:`h` is: "none" :math:`u`, "tanh" :math:`\tanh \beta u` with a slope that grows
        (continuation), "sign" :math:`\operatorname{sgn} u` with the identity as its gradient
        (straight-through).
    growth, period
        :math:`\beta = \sqrt{1 + g \cdot step}` for "tanh", renewed every `period` steps, as
        published for HashNet.

    References
    ----------
    Cao, Long, Wang, Yu: HashNet: deep learning to hash by continuation, ICCV 2017 (tanh).
    Bengio, Léonard, Courville: Estimating or propagating gradients through stochastic
    neurons, arXiv 1308.3432 (straight-through).
    Wang, Kumar, Chang: Semi-supervised hashing for large-scale search, TPAMI 2012 (balance,
    independence).

    Examples
    --------
    Two bits that are always 1 and always alike:

    >>> loss = Regularised("dpn", balance=1.0, decorrelation=10.0)
    >>> loss.setup(bits=2, classes=2)
    >>> outputs = torch.full((2, 2), 1.0)
    >>> (loss(outputs, torch.tensor([0, 1])) - loss.loss(outputs, torch.tensor([0, 1]))).item()
    11.0
    """

    def __init__(
        self,
        loss: Loss | str | dict[str, Any],
        quantization: float = 0.0,
        balance: float = 0.0,
        decorrelation: float = 0.0,
        binarize: str = "none",
        growth: float = 0.005,
        period: int = 200,
    ) -> None:
        super().__init__(loss)
        self.quantization = check_number("quantization", quantization, least=0)
        self.balance = check_number("balance", balance, least=0)
        self.decorrelation = check_number("decorrelation", decorrelation, least=0)
        self.binarize = check_choice("binarize", binarize, "none", "tanh", "sign")
        self.growth, self.period = check_continuation(growth, period)
        self.start_step(0)

    def setup(self, bits: int, classes: int) -> None:
        """Prepare the loss within, whose outputs must be bits."""
        super().setup(bits, classes)
        if self.outputs != bits:
            raise ParameterError(
                f"loss: the outputs of {self.loss.name!r} are no bits to regularise"
            )

    def start_step(self, step: int) -> None:
        """Set beta."""
        super().start_step(step)
        self.beta = continuation(step, self.growth, self.period)

    def forward(self, outputs: Tensor, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the value of the loss within plus the weighted terms."""
        codes = self._codes(outputs)
        value: Tensor = self.loss(codes, targets, rows=rows)
        if self.quantization:
            value = value + self.quantization * (outputs.abs() - 1).square().mean()
        if self.balance:
            value = value + self.balance * codes.mean(0).square().mean()
        if self.decorrelation and self.bits > 1:
            products = codes.T @ codes / len(codes)
            others = products.square().sum() - products.diagonal().square().sum()
            value = value + self.decorrelation * others / (self.bits * (self.bits - 1))
        return value

    def _codes(self, outputs: Tensor) -> Tensor:
        if self.binarize == "tanh":
            return torch.tanh(self.beta * outputs)
        return hard_code(outputs) if self.binarize == "sign" else outputs
