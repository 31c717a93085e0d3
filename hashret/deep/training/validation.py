"""Scores on training images that are held out, so that queries are never looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import ParameterError
from ...evaluation.histograms import DistanceHistograms
from ...evaluation.metrics import average_precision
from ..losses import Loss
from ..losses.labels import has_label, similar_pairs
from ..model.encoding import encode

__all__ = ["HeldOut"]

PROTOCOL = "held-out training images, each looked for among the others; mAP, all ranks, tie-aware"

# Enough for a standard error of about 0.005, and a fraction of a second.
_QUERIES = 2000
_BATCH = 512


@dataclass(frozen=True)
class HeldOut:
    """Images that no step sees, and what their labels are.

    Attributes
    ----------
    inputs : Tensor, shape (n, ...)
        Images or vectors.
    targets : Tensor, shape (n, ...)
        Class numbers, or a table of 0 and 1.
    """

    inputs: Tensor
    targets: Tensor

    @classmethod
    def draw(cls, inputs: Tensor, labels: Tensor, share: float, seed: int) -> tuple[Self, Tensor]:
        """Hold out a share of the labelled images, at random by `seed` alone.

        Returns
        -------
        held_out : HeldOut
        rest : Tensor of int64
            Row numbers of the images that are left for training, ascending.

        Raises
        ------
        ParameterError
            If no two of those held out are similar, or none is left.
        """
        labelled = has_label(labels).nonzero().squeeze(1)
        generator = torch.Generator().manual_seed(seed)
        order = labelled[torch.randperm(len(labelled), generator=generator)]
        held = order[: round(share * len(labelled))].sort().values
        rest = torch.ones(len(inputs), dtype=torch.bool)
        rest[held] = False
        found = cls(inputs[held], labels[held])
        if not rest.any() or not found._similar_pairs_exist():
            raise ParameterError(
                f"validation: {share} of {len(labelled)} labelled images holds out {len(held)}, "
                "of which no two are similar, or leaves none"
            )
        return found, rest.nonzero().squeeze(1)

    def __len__(self) -> int:
        return len(self.inputs)

    def _similar_pairs_exist(self) -> bool:
        sizes = torch.bincount(self.targets) if self.targets.ndim == 1 else self.targets.sum(0)
        return bool((sizes > 1).any())

    def score(self, model: nn.Module, loss: Loss) -> float:
        """Return the mean average precision of looking for each image among the others.

        Over all ranks, ties in random order; the first 2,000 images are the queries.
        """
        codes = torch.where(encode(model, loss, self.inputs, _BATCH) > 0, 1.0, -1.0)
        found = [
            _histograms(codes, self.targets, rows)
            for rows in torch.split(torch.arange(min(len(codes), _QUERIES)), _BATCH)
        ]
        items, relevant = (np.concatenate(part) for part in zip(*found, strict=True))
        return average_precision(DistanceHistograms(items, relevant)).means()[0]


def _histograms(
    codes: Tensor, targets: Tensor, rows: Tensor
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int64]], ...]:
    """Count the other images, and the similar ones, at each distance from those in `rows`."""
    bits = codes.shape[1]
    distances = ((bits - codes[rows] @ codes.T) / 2).round().long()
    others = torch.arange(len(codes)) != rows[:, None]
    similar = similar_pairs(targets[rows], targets) & others
    empty = torch.zeros(len(rows), bits + 1, dtype=torch.int64)
    return tuple(
        empty.scatter_add(1, distances, chosen.long()).numpy() for chosen in (others, similar)
    )
