"""Running a trained model over inputs, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .losses import Loss

__all__ = ["encode", "evaluating"]


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """Put modules into evaluation, and back into what they were in."""
    before = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for module, training in zip(modules, before, strict=True):
            module.train(training)


def encode(model: nn.Module, loss: Loss, inputs: Tensor, batch_size: int) -> Tensor:
    """Return the margins of images or vectors, float32 (n, bits) on the CPU."""
    device = next(model.parameters()).device
    margins = [torch.empty(0, loss.bits)]
    with torch.inference_mode(), evaluating(model, loss):
        for batch in torch.split(inputs, batch_size):
            if len(batch):
                margins.append(loss.margins(model(batch.to(device))).float().cpu())
    return torch.cat(margins)
