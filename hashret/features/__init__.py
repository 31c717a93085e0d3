"""Images to feature vectors: :func:`hog`, and :mod:`~hashret.features.pretrained` networks."""

from __future__ import annotations

from .hog import hog

__all__ = ["hog"]
