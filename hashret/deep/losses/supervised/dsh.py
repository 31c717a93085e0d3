"""Deep supervised hashing: a contrastive loss on relaxed codes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ....checks import check_choice, check_number
from ..base import Loss
from ..labels import one_label_each, similar_pairs
from ..pairs import check_pairs, each_pair
from ..registry import register

__all__ = ["DSH"]


@register("dsh")
class DSH(Loss):
    r"""Deep supervised hashing.

    For a pair of outputs :math:`b_1, b_2` with :math:`y = 0` if their images are
    similar (of one class, or with a label in common) and 1 if not,

    .. math::
        \tfrac12 (1-y) \|b_1-b_2\|_2^2 + \tfrac12 y \max(m - \|b_1-b_2\|_2^2, 0)
        + \alpha (\||b_1|-1\|_1 + \||b_2|-1\|_1)

    summed over bits and averaged over pairs. The last term pulls every output to
    -1 or +1, so that little is lost when the sign is taken. With outputs at
    :math:`\pm1` a squared distance is four times the Hamming distance: the default
    margin asks that different classes differ in half of the bits.

    Parameters
    ----------
    alpha : float
        Weight of the regulariser. Published: 0.01 (Liu et al.); 0.005 and 0.01.
    margin : float, optional
        Squared distance past which a dissimilar pair costs nothing; 2 * bits if None.
    pairs : {"all", "siamese"}
        "all" takes every pair of the batch. "siamese" is the form as published: each
        batch holds pairs, drawn similar with probability 1/2, and both images of a
        pair go through the same network.
    weights : {"uniform", "balanced"}
        "balanced" gives similar and dissimilar pairs half of the weight each, whatever
        their number. A deviation from the published loss, off by default.

    References
    ----------
    Liu, Wang, Shan, Chen: Deep supervised hashing for fast image retrieval, CVPR 2016,
    equations 3 to 5 (loss and sub-gradients).

    Examples
    --------
    Two similar images with opposite codes of one bit cost half of a squared 2:

    >>> loss = DSH(alpha=0.0)
    >>> loss.setup(bits=1, classes=2)
    >>> loss(torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 0]))
    tensor(2.)
    """

    def __init__(
        self,
        alpha: float = 0.01,
        margin: float | None = None,
        pairs: str = "all",
        weights: str = "uniform",
    ) -> None:
        super().__init__()
        self.alpha = check_number("alpha", alpha, least=0)
        self.margin = None if margin is None else check_number("margin", margin, above=0)
        self.pairs = check_choice("pairs", pairs, "all", "siamese")
        self.weights = check_choice("weights", weights, "uniform", "balanced")

    def prepare(self, targets: Tensor) -> Tensor:
        """Return the labels; for "siamese", refuse images with several."""
        return one_label_each(targets, "siamese DSH") if self.pairs == "siamese" else targets

    def epoch_order(self, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return a random order; for "siamese", rows 2i and 2i + 1 are a pair."""
        return pair_order(targets) if self.pairs == "siamese" else super().epoch_order(targets)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of the batch's pairs."""
        check_pairs(outputs, targets)
        margin = 2.0 * self.bits if self.margin is None else self.margin
        if self.pairs == "siamese":
            outputs = outputs[: len(outputs) // 2 * 2]
            first, second = outputs[0::2], outputs[1::2]
            distance = (first - second).square().sum(1)
            one, other = targets[0 : len(outputs) : 2], targets[1 : len(outputs) : 2]
            similar = (one == other) & (one >= 0)
        else:
            norms = outputs.square().sum(1)
            squares = norms[:, None] + norms[None, :] - 2 * outputs @ outputs.T
            distance, similar = each_pair(squares), each_pair(similar_pairs(targets))
        cost = 0.5 * torch.where(similar, distance, functional.relu(margin - distance))
        # Each image is in equally many pairs, so that the mean over pairs of the two
        # regularisers is twice their mean over images.
        return self._mean(cost, similar) + 2 * self.alpha * distance_to_bits(outputs).sum(1).mean()

    def _mean(self, cost: Tensor, similar: Tensor) -> Tensor:
        if self.weights == "uniform":
            return cost.mean()
        # A batch may hold no pair of one sort: that half is then 0, not NaN.
        count = similar.sum()
        alike = torch.where(similar, cost, 0).sum() / count.clamp(min=1)
        others = torch.where(similar, 0, cost).sum() / (len(cost) - count).clamp(min=1)
        return 0.5 * (alike + others)


def distance_to_bits(outputs: Tensor) -> Tensor:
    """Return ``||b| - 1|``, with the sub-gradients of the published equation.

    They are 1 for -1 <= b <= 0 and for b >= 1, and -1 elsewhere, also at the
    kinks -1, 0 and 1, where the composition of two ``abs`` would give 0 and
    leave an output of exactly 0 there.
    """
    below = torch.where(outputs >= -1, outputs + 1, -1 - outputs)
    above = torch.where(outputs >= 1, outputs - 1, 1 - outputs)
    return torch.where(outputs <= 0, below, above)


def pair_order(labels: Tensor) -> Tensor:
    """Return row numbers in which entries 2i and 2i + 1 are a random pair.

    A pair is of one class with probability 1/2; the first of it runs through a
    random half of the rows. Shape (n // 2 * 2,).
    """
    count = len(labels) // 2
    by_class = torch.argsort(labels, stable=True)
    position = torch.empty_like(by_class)
    position[by_class] = torch.arange(len(labels))
    sizes = torch.bincount(labels)
    first = torch.randperm(len(labels))[:count]
    size = sizes[labels[first]]
    start = (torch.cumsum(sizes, 0) - sizes)[labels[first]]

    # Another image of the same class: 1 to size - 1 positions further in it, cyclically.
    uniform = torch.rand(count, dtype=torch.float64)
    same = start + (position[first] - start + 1 + (uniform * (size - 1)).long()) % size
    # An image of another class: positions after the own class begin `size` later.
    other = (uniform * (len(labels) - size)).long()
    other = torch.where(other >= start, other + size, other)

    similar = torch.rand(count) < 0.5
    second = by_class[torch.where(similar, same, other)]
    return torch.stack([first, second], 1).flatten()
