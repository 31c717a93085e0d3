"""From outputs to codes in training: hard ones with a gradient, and a tanh that grows into them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...checks import check_int, check_number

__all__ = ["check_continuation", "continuation", "hard_code", "straight_through", "towards_bits"]


def straight_through(code: Tensor, outputs: Tensor) -> Tensor:
    """Return `code`, which passes its gradient to `outputs` as it is."""
    # In this order the value is exactly the code: outputs - outputs is 0.
    return code + (outputs - outputs.detach())


def hard_code(outputs: Tensor) -> Tensor:
    """Return +1 where an output is > 0 and -1 elsewhere, with the identity as gradient."""
    return straight_through(torch.where(outputs > 0, 1.0, -1.0).to(outputs.dtype), outputs)


def towards_bits(outputs: Tensor) -> Tensor:
    """Return the mean of ``||h| - 1|^3``."""
    return (outputs.abs() - 1).abs().pow(3).mean()


def continuation(step: int, growth: float, period: int) -> float:
    """Return the slope of tanh before a step: sqrt(1 + growth * step), renewed every `period`."""
    return math.sqrt(1 + growth * (step - step % period))


def check_continuation(growth: float, period: int) -> tuple[float, int]:
    """Return both, or raise."""
    return check_number("growth", growth, least=0), check_int("period", period, 1)
