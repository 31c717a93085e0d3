"""CNNH: codes from the labels first, then a network that regresses them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ....checks import check_int
from ..base import Loss
from ..labels import similar_pairs
from ..registry import register
from .factors import extend, factorise

__all__ = ["CNNH"]


@register("cnnh")
class CNNH(Loss):
    r"""Squared error of outputs against codes that were found from the labels alone.

    Before the first step the matrix of similarities, :math:`S_{ij} = 1` for images that share
    a label and -1 otherwise, is factorised:

    .. math:: \min_H \|S - \tfrac1K HH'\|_F^2, \quad H \in [-1, 1]^{n \times K}

    The network then learns :math:`\operatorname{sgn} H`: with its outputs :math:`u` the loss is
    the mean over images and bits of :math:`(\tanh u - \operatorname{sgn} h)^2`.

    Images of the same labels have the same row in `S` and get the same row in `H`, so that
    the objective is exactly that of all images, at the cost of one row for each distinct
    set of labels, and codes can never go to other images than those they were found for.

    Parameters
    ----------
    rounds : int
        How often each entry of `H` is renewed. Published: few; the objective hardly falls
        after 10.
    sets : int
        Factorise no more than so many sets of labels, the most frequent; the others, which
        only data with several labels an image has, get the rows that explain their
        similarities to those best.

    References
    ----------
    Xia, Pan, Lai, Liu, Yan: Supervised hashing for image retrieval via image representation
    learning, AAAI 2014. Not its extension CNNH+, which trains a classifier beside.

    Examples
    --------
    >>> loss = CNNH()
    >>> loss.setup(bits=8, classes=2)
    >>> codes = loss.prepare(torch.tensor([0, 1, 0]))
    >>> (codes @ codes.T).int().tolist()
    [[8, -8, 8], [-8, 8, -8], [8, -8, 8]]
    """

    by_image = True

    def __init__(self, rounds: int = 10, sets: int = 2000) -> None:
        super().__init__()
        self.rounds = check_int("rounds", rounds, 1)
        self.sets = check_int("sets", sets, 1)

    def prepare(self, targets: Tensor) -> Tensor:
        """Return the code of each image in -1 and +1, float32 (n, bits)."""
        distinct, own, counts = torch.unique(
            targets, dim=0, return_inverse=True, return_counts=True
        )
        order = counts.argsort(descending=True, stable=True)
        first, others = order[: self.sets], order[self.sets :]
        weights = counts[first].double().numpy()
        rng = np.random.default_rng(int(torch.randint(2**63 - 1, (), device="cpu")))
        found, _ = factorise(
            _similarity(distinct[first], distinct[first]), weights, self.bits, self.rounds, rng
        )
        rows = torch.empty(len(distinct), self.bits, dtype=torch.float64)
        rows[first] = torch.from_numpy(found)
        if len(others):
            similarity = _similarity(distinct[others], distinct[first])
            rows[others] = torch.from_numpy(extend(found, weights, similarity, self.rounds))
        return torch.where(rows > 0, 1.0, -1.0)[own]

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over images and bits; `targets` are the codes from `prepare`."""
        return (torch.tanh(outputs) - targets.to(outputs.dtype)).square().mean()


def _similarity(first: Tensor, second: Tensor) -> np.ndarray:
    return np.where(similar_pairs(first, second).numpy(), 1.0, -1.0)
