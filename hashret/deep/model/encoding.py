"""Running a trained model over inputs, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..losses import Loss
from .hash_model import BLOCK, HashModel, padded
from .isolation import exact

__all__ = ["encode", "evaluating", "tapped"]


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


def encode(
    model: nn.Module, loss: Loss, inputs: Tensor, batch_size: int, *, margins: bool = True
) -> Tensor:
    """Return the margins of images or vectors, float32 (n, bits) on the CPU.

    Or, if not `margins`, the outputs that these are made from, float32 (n, outputs).

    Those of an image do not depend on the others: products of matrices and convolutions of few
    rows are computed in another order than those of many, so that rows are added.
    """
    device = next(model.parameters()).device
    parts = [torch.empty(0, loss.bits if margins else loss.outputs)]
    # Of images two are enough: the features of these are padded on their own.
    rows = BLOCK if inputs.ndim == 2 else 2
    with torch.inference_mode(), evaluating(model, loss), exact:
        for batch in torch.split(inputs, batch_size):
            if len(batch):
                outputs = model(padded(batch, rows).to(device))[: len(batch)]
                if margins:
                    outputs = loss.margins(padded(outputs, BLOCK))[: len(batch)]
                parts.append(outputs.float().cpu())
    return torch.cat(parts)


def tapped(model: HashModel, inputs: Tensor, batch_size: int) -> Tensor:
    """Return what the hash layer is given of images or vectors, float32 (n, m) on the CPU."""
    device = next(model.parameters()).device
    parts = []
    rows = BLOCK if inputs.ndim == 2 else 2
    with torch.inference_mode(), evaluating(model), exact:
        for batch in torch.split(inputs, batch_size):
            if len(batch):
                found = model.features(padded(batch, rows).to(device))[: len(batch)]
                parts.append(found.float().cpu())
    return torch.cat(parts) if parts else torch.empty(0, model.width)
