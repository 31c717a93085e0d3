"""Feature vectors to binary codes: scikit-learn estimators.

Each has ``fit(X, y=None)``, ``transform(X)`` (packed codes), ``project(X)`` (margins whose sign
the bits are), ``code_bits``, ``fingerprint()``, ``save`` and ``load``.
"""

from __future__ import annotations

from ..errors import import_extra

# Before anything that imports scikit-learn, so that a missing one is named with its extra.
import_extra("sklearn", "images")

from .base import Encoder, load_encoder  # noqa: E402
from .random_projection import RandomProjectionLSH  # noqa: E402

__all__ = ["Encoder", "RandomProjectionLSH", "load_encoder"]
