"""What losses ask about labels, whether an image has one or several."""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import ParameterError

__all__ = ["has_label", "nan_if_missing", "one_label_each", "similar_pairs"]


def has_label(targets: Tensor) -> Tensor:
    """Return which rows are labelled, bool (n,): class numbers or tables of 0 and 1; see Loss."""
    return targets >= 0 if targets.ndim == 1 else (targets >= 0).all(1)


def nan_if_missing(rows: Tensor, targets: Tensor) -> Tensor:
    """Return `rows`, made of the labels of images, with NaN in those of images that have none.

    A loss that should never see such images is NaN then, which ends a training: -1 would stand
    for the last class.
    """
    return torch.where(has_label(targets)[:, None], rows, torch.nan)


def similar_pairs(targets: Tensor, others: Tensor | None = None) -> Tensor:
    """Return whether each two images share a label, bool (n, n), or (n, m) with `others`.

    An image without label shares it with none, not even with itself.

    Examples
    --------
    >>> import torch
    >>> similar_pairs(torch.tensor([[1.0, 1, 0], [0, 1, 1], [1, 0, 0]])).int()
    tensor([[1, 1, 1],
            [1, 1, 0],
            [1, 0, 1]], dtype=torch.int32)
    >>> similar_pairs(torch.tensor([2, -1, -1])).int()
    tensor([[1, 0, 0],
            [0, 0, 0],
            [0, 0, 0]], dtype=torch.int32)
    """
    others = targets if others is None else others
    if targets.ndim == 1:
        return (targets[:, None] == others) & (others >= 0)
    return targets.clamp(min=0) @ others.clamp(min=0).T > 0


def one_label_each(targets: Tensor, what: str) -> Tensor:
    """Return `targets`, or raise if images may have several labels."""
    if targets.ndim != 1:
        raise ParameterError(
            f"labels: {what} needs one class an image, got a table {tuple(targets.shape)}"
        )
    return targets
