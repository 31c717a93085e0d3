"""Encoders of a collection, by name.

=================== ==============================================================
``perceptual.py``   how an image looks: PDQ, 256 bits; for duplicates
``borderless.py``   the same without frames, caption bars and the rest of a screen
``naming.py``       from a name, or from what a store keeps, to an encoder
=================== ==============================================================
"""

from __future__ import annotations

from .naming import encoder_of, new_encoder

__all__ = ["encoder_of", "new_encoder"]
