"""Where a model computes, and how its weights lie there."""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import ParameterError
from .hash_model import HashModel

__all__ = ["find_device", "moved", "sent"]


def find_device(name: str) -> torch.device:
    """Return a device as torch names it, or for "auto" the GPU if there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ParameterError(f"device: {name!r} is not at hand: {error}") from error
    return device


def moved(model: HashModel, device: torch.device) -> HashModel:
    """Return the model itself on a device, in the layout that convolutions are fastest in."""
    # Channels-last convolutions took two thirds of the time on a CPU.
    on_device: HashModel = model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return on_device


def sent(device: torch.device, *tensors: Tensor) -> list[Tensor]:
    """Return tensors of the CPU on a device, without waiting for what a GPU has still to do."""
    return [tensor.to(device, non_blocking=True) for tensor in tensors]
