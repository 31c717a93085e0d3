"""What losses ask about labels, whether an image has one or several."""

from __future__ import annotations

from torch import Tensor

from ...errors import ParameterError

__all__ = ["has_label", "one_label_each", "similar_pairs"]


def has_label(targets: Tensor) -> Tensor:
    """Return which rows are labelled, bool (n,): class numbers or tables of 0 and 1; see Loss."""
    return targets >= 0 if targets.ndim == 1 else (targets >= 0).all(1)


def similar_pairs(targets: Tensor, others: Tensor | None = None) -> Tensor:
    """Return whether each two images share a label, bool (n, n), or (n, m) with `others`.

    Examples
    --------
    >>> import torch
    >>> similar_pairs(torch.tensor([[1.0, 1, 0], [0, 1, 1], [1, 0, 0]])).int()
    tensor([[1, 1, 1],
            [1, 1, 0],
            [1, 0, 1]], dtype=torch.int32)
    """
    others = targets if others is None else others
    return targets[:, None] == others if targets.ndim == 1 else targets @ others.T > 0


def one_label_each(targets: Tensor, what: str) -> Tensor:
    """Return `targets`, or raise if images may have several labels."""
    if targets.ndim != 1:
        raise ParameterError(
            f"labels: {what} needs one class an image, got a table {tuple(targets.shape)}"
        )
    return targets
