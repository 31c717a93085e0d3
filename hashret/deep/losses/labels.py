"""What losses ask about labels, whether an image has one or several."""

from __future__ import annotations

from torch import Tensor

from ...errors import ParameterError

__all__ = ["has_label", "one_label_each", "similar_pairs"]


def has_label(targets: Tensor) -> Tensor:
    """Return which rows are labelled, bool (n,): class numbers or tables of 0 and 1; see Loss."""
    return targets >= 0 if targets.ndim == 1 else (targets >= 0).all(1)


def similar_pairs(targets: Tensor) -> Tensor:
    """Return whether each two images share a label, bool (n, n).

    Examples
    --------
    >>> import torch
    >>> similar_pairs(torch.tensor([[1.0, 1, 0], [0, 1, 1], [1, 0, 0]])).int()
    tensor([[1, 1, 1],
            [1, 1, 0],
            [1, 0, 1]], dtype=torch.int32)
    """
    if targets.ndim == 1:
        return targets[:, None] == targets
    return targets @ targets.T > 0


def one_label_each(targets: Tensor, what: str) -> Tensor:
    """Return `targets`, or raise if images may have several labels."""
    if targets.ndim != 1:
        raise ParameterError(
            f"labels: {what} needs one class an image, got a table {tuple(targets.shape)}"
        )
    return targets
