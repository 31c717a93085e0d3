"""Encoders of a collection, by name.

=================== ==============================================================
``perceptual.py``   how an image looks: PDQ, 256 bits; for duplicates
``naming.py``       from a name, or from what a store keeps, to an encoder
=================== ==============================================================
"""

from __future__ import annotations

from .naming import encoder_of, new_encoder
from .trained import Trained, describe, square, with_features

__all__ = ["Trained", "describe", "encoder_of", "new_encoder", "square", "with_features"]
