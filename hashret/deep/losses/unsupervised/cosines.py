"""Cosines of features against cosines of codes: what two unsupervised losses keep alike."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ....errors import TrainingError
from ..pairs import each_pair

__all__ = ["centred", "cosine_gap"]


def centred(features: Tensor) -> Tensor:
    """Return feature vectors less their mean.

    Features that passed a rectifier have cosines of 0 to 1 only, which no codes with
    balanced bits can have.
    """
    return features - features.mean(0)


def cosine_gap(codes: Tensor, features: Tensor) -> Tensor:
    """Return the mean over all pairs of rows of (cos(b_i, b_j) - cos(x_i, x_j))^2.

    Raises
    ------
    TrainingError
        Unless there is a feature vector for each of at least two codes.
    """
    if features.ndim != 2 or len(features) != len(codes):
        raise TrainingError(
            "features: expected one row for each of the outputs, "
            f"got {tuple(features.shape)} for {tuple(codes.shape)}"
        )
    if len(codes) < 2:
        raise TrainingError(f"outputs: a loss of pairs needs 2 rows, got {len(codes)}")
    wanted = functional.normalize(features.to(codes.dtype))
    found = functional.normalize(codes)
    return each_pair(found @ found.T - wanted @ wanted.T).square().mean()
