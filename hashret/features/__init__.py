"""Images to feature vectors."""

from __future__ import annotations

from .hog import hog

__all__ = ["hog"]
