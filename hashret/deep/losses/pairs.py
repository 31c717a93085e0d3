"""What losses of pairs have in common."""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import TrainingError

__all__ = ["check_pairs", "each_pair"]


def check_pairs(outputs: Tensor, labels: Tensor) -> None:
    """Raise unless there are labels for each of at least two outputs."""
    if outputs.ndim != 2 or labels.ndim not in (1, 2) or len(labels) != len(outputs):
        raise TrainingError(
            "labels: expected one for each row of the outputs, "
            f"got {tuple(labels.shape)} for {tuple(outputs.shape)}"
        )
    if len(outputs) < 2:
        raise TrainingError(f"outputs: a loss of pairs needs 2 rows, got {len(outputs)}")


def each_pair(matrix: Tensor) -> Tensor:
    """Return the entries of a square matrix above its diagonal, one for each two rows.

    Examples
    --------
    >>> each_pair(torch.arange(9).reshape(3, 3))
    tensor([1, 2, 5])
    """
    i, j = torch.triu_indices(len(matrix), len(matrix), 1, device=matrix.device)
    return matrix[i, j]
