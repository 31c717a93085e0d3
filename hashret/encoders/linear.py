"""Encoders whose margins are linear in the centred features."""

from __future__ import annotations

from .base import Encoder, Floats


class LinearEncoder(Encoder):
    """Base class: ``margins = (x - mean_) @ projection_``.

    Attributes
    ----------
    mean_ : ndarray of float64, shape (d,)
    projection_ : ndarray of float64, shape (d, code_bits)
    """

    _fitted = ("mean_", "projection_")
    mean_: Floats
    projection_: Floats

    def _fitted_shapes(self) -> dict[str, tuple[int, ...]]:
        features = self.n_features_in_
        return {"mean_": (features,), "projection_": (features, self.code_bits)}

    def _margins(self, features: Floats) -> Floats:
        return (features - self.mean_) @ self.projection_
